"""A schema registry that hangs, drips or sends on: it costs seconds, and never a password."""

import json
from base64 import b64encode
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import RegistryError
from registry.formats.fields import SchemaError
from registry.formats.protobuf import unpacked
from registry.streams import decode, schema_registry
from registry.streams.decode import MAX_WRITERS, Decoder
from registry.streams.poison import UNDECODABLE, PoisonError
from registry.streams.schema_files import packed_file
from registry.streams.schema_registry import NoSchemaError, SchemaRegistry
from registry.streams.settings import Stream
from schema_server import LOGIN, PASSWORD, USER, SchemaServer, answer
from support import examples

SCHEMA = {"schema": '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}'}


@pytest.fixture
def schemas():
    with SchemaServer() as server:
        server.registered("topic-value", SCHEMA)
        yield server


@pytest.fixture
def decoder(schemas, tmp_path, monkeypatch):
    """A decoder of a stream in Avro, whose schema is number 1."""
    monkeypatch.setenv("KAFKA_SCHEMA_REGISTRY_URL", schemas.url)
    (tmp_path / "r.avsc").write_text(SCHEMA["schema"])
    return Decoder(Stream([], format="avro", schema="r.avsc", schema_registry=True), tmp_path)


def asking(url, kind="avro", **variables):
    login = {"KAFKA_SCHEMA_REGISTRY_USERNAME": USER, "KAFKA_SCHEMA_REGISTRY_PASSWORD": PASSWORD}
    return SchemaRegistry(kind, {"KAFKA_SCHEMA_REGISTRY_URL": url} | login | variables)


def test_who_asks_is_told(schemas):
    assert asking(f"{schemas.url}/").schema(1).schema == SCHEMA["schema"]
    assert schemas.logins == [f"Basic {LOGIN}"]


def test_each_number_is_asked_for_once_and_fills_no_memory(schemas, decoder, monkeypatch):
    messages = b"\0\0\0\0\1\2", b"\0\0\0\0\2\2"
    for message in messages * 3:
        with suppress(PoisonError):
            decoder.check(message)
    assert schemas.asked == ["/schemas/ids/1", "/schemas/ids/2"]
    for number in range(3, MAX_WRITERS + 12):
        with pytest.raises(PoisonError, match=f"the schema registry has no schema {number}"):
            decoder.check(b"\0" + number.to_bytes(4, "big"))
    assert decoder._writer.cache_info().currsize <= MAX_WRITERS


def test_a_schema_is_asked_for_once_whichever_of_its_types_messages_name(schemas, tmp_path, monkeypatch):
    monkeypatch.setenv("KAFKA_SCHEMA_REGISTRY_URL", schemas.url)
    path = tmp_path / "r.proto"
    path.write_text('syntax = "proto3"; message R { int32 a = 1; } message S { int32 a = 1; }')
    number = schemas.registered("r", {"schema": bytes_of(packed_file(path)), "schemaType": "PROTOBUF"})["id"]
    stream = Stream([], format="protobuf", schema=path.name, message="R", schema_registry=True)
    decoder = Decoder(stream, tmp_path)
    for index in (b"\0", b"\2\2", b"\2\4", b"\2\x7e"):
        for of in (number, number + 1):
            with suppress(PoisonError):
                decoder.check(b"\0" + of.to_bytes(4, "big") + index)
    assert [path.partition("?")[0] for path in schemas.asked] == [f"/schemas/ids/{of}" for of in (number, number + 1)]


def test_a_schema_of_another_format_is_none(schemas):
    with pytest.raises(NoSchemaError, match="schema 1 is one of avro, and none of protobuf"):
        asking(schemas.url, "protobuf").schema(1)


@pytest.mark.parametrize("drips", [False, True])
def test_one_that_hangs_or_drips_is_given_up(schemas, monkeypatch, drips):
    def badly(handler):
        handler.send_response(200)
        handler.end_headers()
        while drips and not schemas.closing.wait(0.05):
            handler.wfile.write(b" ")
        schemas.closing.wait()

    schemas.badly = badly
    monkeypatch.setattr(schema_registry, "TIMEOUTS", (5, 0.2))
    monkeypatch.setattr(schema_registry, "PATIENCE", 1)
    with pytest.raises(RegistryError, match=r"not done within 1 s|no answer in time|no connection, or it broke off"):
        asking(schemas.url).schema(1)


def test_what_is_sent_elsewhere_is_not_followed(schemas):
    with SchemaServer() as other:
        schemas.badly = lambda handler: answer(handler, 307, b"", Location=f"{other.url}/schemas/ids/1")
        with pytest.raises(RegistryError, match="it sends on to another address, which is not followed"):
            asking(schemas.url).schema(1)
        assert other.asked == []


def test_references_without_end_are_given_up(schemas):
    def more(handler):
        version = int(handler.path.rpartition("/")[2])
        reference = {"name": f"n{version}", "subject": "topic", "version": version + 1}
        answer(handler, 200, SCHEMA | {"references": [reference]})

    schemas.badly = more
    with pytest.raises(SchemaError, match="it needs more than 100 others"):
        asking(schemas.url).schema(1)
    assert len(schemas.asked) <= 102


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        ({"schema": 1}, "the answer has no schema in it"),
        (SCHEMA | {"references": 1}, "no list"),
        (SCHEMA | {"references": [1]}, "malformed"),
        (SCHEMA | {"references": [{"name": "a", "subject": "a", "version": "latest"}]}, "malformed"),
        (SCHEMA | {"references": [{"name": "a", "subject": "a", "version": float("inf")}]}, "malformed"),
        (SCHEMA | {"references": [{"name": "\ud800", "subject": "a", "version": 1}]}, "malformed"),
        ({"schema": "message R {}", "schemaType": "PROTOBUF"}, "it has to know format=serialized"),
    ],
)
def test_a_server_that_is_no_schema_registry_makes_no_message_poison(schemas, decoder, answered, said):
    schemas.badly = lambda handler: answer(handler, 200, answered)
    with pytest.raises(RegistryError, match=f"schema registry {schemas.url}: .*{said}"):
        asking(schemas.url, answered.get("schemaType", "avro").lower()).schema(1)
    if "schemaType" not in answered:
        with pytest.raises(RegistryError):
            decoder.check(b"\0\0\0\0\1\2")


NEEDY = [{"name": "S", "subject": "gone", "version": 1}]
HOLDS_ITSELF = [{"name": "r", "type": ["null", "R"]}]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"schema": "{"}, "no schema of Avro"),
        ({"schema": '"int"'}, "it describes no record"),
        ({"schema": json.dumps({"type": "record", "name": "R", "fields": HOLDS_ITSELF})}, "holds itself"),
        (SCHEMA | {"references": [{"name": "a", "subject": "other", "version": 1}]}, "a needs itself"),
        (SCHEMA | {"references": NEEDY}, "version 1 of gone, which it needs, is not there"),
        (SCHEMA | {"schema": SCHEMA["schema"] + " " * (5 << 20)}, "it has more than 4,194,304 bytes"),
    ],
)
def test_messages_of_a_schema_that_cannot_be_used_are_poison(schemas, decoder, schema, said):
    """Who may write to the topic, and register schemas, cannot stop the messages of others from being read."""
    number = schemas.registered("other", schema)["id"]
    with pytest.raises(PoisonError, match=f"schema {number} of the schema registry cannot be used: .*{said}") as raised:
        decoder.check(b"\0" + number.to_bytes(4, "big") + b"\2")
    assert raised.value.reason == UNDECODABLE
    assert decoder.check(b"\0\0\0\0\1\2") == {"1": {"format": "avro", "schema": SCHEMA["schema"]}}


def test_schemas_of_a_run_are_bounded(schemas, decoder, monkeypatch):
    monkeypatch.setattr(decode, "MAX_TOTAL", 2 * len(SCHEMA["schema"]))
    schemas.registered("r", SCHEMA | {"schema": SCHEMA["schema"] + " "})
    decoder.check(b"\0\0\0\0\1\2")
    with pytest.raises(RegistryError, match="messages name schemas of more than"):
        decoder.check(b"\0\0\0\0\2\2")


@pytest.mark.parametrize("kind", ["json", "avro", "protobuf"])
def test_any_message_is_taken_or_poison(schemas, tmp_path, monkeypatch, kind):
    monkeypatch.setenv("KAFKA_SCHEMA_REGISTRY_URL", schemas.url)
    file = {"json": "{}", "avro": SCHEMA["schema"], "protobuf": 'syntax = "proto3"; message R { int32 a = 1; }'}[kind]
    path = tmp_path / {"json": "r.json", "avro": "r.avsc", "protobuf": "r.proto"}[kind]
    path.write_text(file)
    text = bytes_of(packed_file(path)) if kind == "protobuf" else file
    number = schemas.registered("r", {"schema": text, "schemaType": kind.upper()})["id"]
    decoder = Decoder(Stream([], format=kind, schema=path.name, schema_registry=True), tmp_path)

    @settings(max_examples=examples(60), deadline=None)
    @given(st.binary(max_size=12), st.sampled_from([b"", b"\0\0\0\0\1", b"\0" + number.to_bytes(4, "big")]))
    def check(body, prefix):
        with suppress(PoisonError):
            (named,) = decoder.check(prefix + body)
            assert named == str(int.from_bytes((prefix + body)[1:5], "big"))

    check()


def bytes_of(text):
    """Return the last file of compiled ones, as a schema registry sends it."""
    return b64encode(unpacked(text)[-1].SerializeToString()).decode()


def test_what_cannot_be_reached_tells_no_secret():
    secret = "http-secret"
    with pytest.raises(RegistryError) as raised:
        asking("http://127.0.0.1:1", KAFKA_SCHEMA_REGISTRY_PASSWORD=secret).schema(1)
    assert "schema registry http://127.0.0.1:1: no connection" in str(raised.value) and secret not in str(raised.value)


def test_tls_that_cannot_be_trusted(schemas, tmp_path):
    with pytest.raises(RegistryError, match="no secure connection: its certificate is not trusted, or it speaks no"):
        asking(schemas.url.replace("http:", "https:")).schema(1)
    with pytest.raises(RegistryError, match="KAFKA_SCHEMA_REGISTRY_SSL_CA_LOCATION: no file is there"):
        asking(schemas.url, KAFKA_SCHEMA_REGISTRY_SSL_CA_LOCATION=str(tmp_path / "ca.pem"))
