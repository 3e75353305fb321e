"""Streams in Avro and Protobuf, by the file of a schema or a schema registry: batches hold what decodes them."""

import json

import pytest

from registry.sources.batches import find_batches, read_batch
from registry.sources.writers import decoder_of
from schema_server import PASSWORD, USER, SchemaServer, answer
from shop import produce
from written import PARTS, PROTO, Producers, avro, message_class, record

FILE = "config/order.avsc"
ORDER = record(id="string", price="double")


@pytest.fixture
def schemas():
    with SchemaServer() as server:
        yield server


@pytest.fixture
def send(broker, topic):
    def send(*values):
        return produce(broker.address, topic, values, partitions=1)

    return send


@pytest.fixture
def producers(schemas, topic):
    return Producers(schemas.url, topic)


@pytest.fixture
def listen(shop, broker, topic, schemas):
    """Let the dataset grow from a topic whose messages are as a schema's file says, which is written."""

    def listen(schema, file=FILE, **stream):
        shop.write(file, schema if isinstance(schema, str) else json.dumps(schema))
        shop.listen(broker.address, topics=[topic], schema=file, **stream)
        shop.variables |= {"KAFKA_SCHEMA_REGISTRY_URL": schemas.url}

    return listen


def decoded(shop):
    """Return what the batches hold, by their own notes alone."""
    found, raw = [], shop.data / "raw"
    for batch in find_batches(raw):
        messages, notes = read_batch(raw, batch)
        found += [value and decoder_of(notes)(value) for value in messages["value"].to_pylist()]
    return found


def test_avro_by_a_file(shop, send, listen):
    listen(ORDER, format="avro", poison="quarantine")
    sent = send(avro(ORDER, id="a", price=1.5), None, b"\2a", avro(ORDER, id="b", price=2.0) + b"!", b"\1")
    shop.ingest()
    assert shop.read() == sent[:2]
    assert decoded(shop) == [{"id": "a", "price": 1.5}, None]
    assert shop.left_out() == {"undecodable": 3}
    # The file goes on; what was read before is read as it was written.
    later = record(id="string", price="double", note=("string", ""))
    listen(later, format="avro", poison="quarantine")
    send(avro(later, id="c", price=3.0, note="x"))
    shop.ingest()
    assert decoded(shop)[2:] == [{"id": "c", "price": 3.0, "note": "x"}]


def test_protobuf_by_a_file(shop, send, listen):
    shop.write("config/parts.proto", PARTS)
    listen(PROTO, "config/order.proto", format="protobuf")
    printed = shop.ingest(code=1)
    assert "config/order.proto: which message? It has shop.Order, shop.Visit; name one: stream.message" in printed
    listen(PROTO, "config/order.proto", format="protobuf", message="shop.Visit", poison="drop")
    visit = message_class(shop.folder / "config/order.proto", "shop.Visit")
    send(visit(page="a").SerializeToString(), b"\x0a\xff")
    shop.ingest()
    assert (decoded(shop), shop.left_out()) == ([{"page": "a"}], {"undecodable": 1})


def test_a_schema_registry_is_asked_once_and_never_by_a_build(shop, send, listen, producers, schemas):
    listen(ORDER, format="avro", schema_registry=True)
    later = record(id="string", price="double", note=(["null", "string"], None))
    sent = send(
        *(producers.avro(ORDER, id=str(number), price=1.5) for number in range(30)),
        producers.avro(later, id="x", price=2.5, note="new"),
    )
    schemas.asked.clear()
    shop.ingest()
    assert schemas.asked == ["/schemas/ids/1", "/schemas/ids/2"]
    assert shop.read() == sent
    assert decoded(shop)[-1] == {"id": "x", "price": 2.5, "note": "new"}
    assert decoded(shop)[0] == {"id": "0", "price": 1.5}


def test_a_changed_type_is_refused_until_the_file_says_so(shop, send, listen, producers):
    listen(ORDER, format="avro", schema_registry=True, poison="drop")
    changed = record(id="string", price="string")
    sent = send(producers.avro(ORDER, id="a", price=1.5), producers.avro(changed, id="b", price="2 EUR"))
    for _ in range(2):
        printed = shop.ingest(code=1)
        assert f"messages have other fields than {FILE} says: price was double, and is string" in printed
        assert "schema 2 of the schema registry" in printed and f"let {FILE} say so" in printed
        assert shop.read() == sent[:1]
    listen(record(id="string", price=["double", "string"]), format="avro", schema_registry=True)
    shop.ingest()
    assert [one["price"] for one in decoded(shop)] == [1.5, "2 EUR"]


def test_references_of_avro(shop, send, listen, schemas):
    part = {"type": "record", "name": "Part", "namespace": "shop", "fields": [{"name": "name", "type": "string"}]}
    schemas.registered("part", {"schema": json.dumps(part), "schemaType": "AVRO"})
    reference = {"name": "shop.Part", "subject": "part", "version": 1}
    main = {"schema": json.dumps(record(part="shop.Part")), "references": [reference]}
    number = schemas.registered("order", main)["id"]
    whole = record(part=part)
    send(b"\0" + number.to_bytes(4, "big") + avro(whole, part={"name": "lid"}))
    listen(whole, format="avro", schema_registry=True)
    shop.ingest()
    assert decoded(shop) == [{"part": {"name": "lid"}}]


def test_protobuf_by_a_registry(shop, send, listen, producers, schemas):
    shop.write("config/parts.proto", PARTS)
    listen(PROTO, "config/order.proto", format="protobuf", schema_registry=True, message="shop.Order", poison="drop")
    file = shop.folder / "config/order.proto"
    order = message_class(file, "shop.Order")(id="a", price=1.5, parts=[{"name": "lid"}])
    visit, refund = (message_class(file, f"shop.{name}") for name in ("Visit", "Order.Refund"))
    send(*map(producers.protobuf, (order, visit(page="a"), refund(id="r"))), b"\0\0\0\0\1\2\x7f", b"\0\0\0\0\1\x0b")
    shop.ingest()
    assert [(one["id"], one["parts"]) for one in decoded(shop)] == [("a", [{"name": "lid"}])]
    assert shop.left_out() == {"invalid": 2, "undecodable": 2}
    changed = PROTO.replace("double price", "string price")
    shop.write("config/other/order.proto", changed)
    shop.write("config/other/parts.proto", PARTS)
    send(producers.protobuf(message_class(shop.folder / "config/other/order.proto", "shop.Order")(id="b", price="2")))
    assert "price was double, and is string" in shop.ingest(code=1)


def test_json_by_a_registry(shop, broker, topic, send, schemas, producers):
    shop.listen(broker.address, topics=[topic], schema_registry=True, poison="drop")
    shop.variables |= {"KAFKA_SCHEMA_REGISTRY_URL": schemas.url}
    schema = {"type": "object", "properties": {"price": {"type": "number"}}}
    good = producers.json(schema, price=1.5)
    send(good, good[:5] + b'{"price": "2"}', good[:5] + b"{", good[5:], b'\0\0\0\0\7{"price": 1}')
    shop.ingest()
    assert (decoded(shop), shop.left_out()) == ([{"price": 1.5}], {"invalid": 1, "undecodable": 3})


BAD = {
    "html": (lambda one: answer(one, 200, b"<html>hello</html>"), "HTTP 200, and no JSON of a schema registry"),
    "404": (lambda one: answer(one, 404, b"no page"), "HTTP 404, and no JSON of a schema registry"),
    "no path": (lambda one: answer(one, 404, {"error_code": 404, "message": "HTTP 404 Not Found"}), "HTTP 404"),
    "401": (lambda one: answer(one, 401, {"error_code": 401}), "HTTP 401: who asks is not known to it"),
    "503": (lambda one: answer(one, 503, {"error_code": 50301}), "HTTP 503"),
    "elsewhere": (lambda one: answer(one, 302, b"", Location="http://127.0.0.1:1/"), "it sends on to another address"),
    "large": (lambda one: answer(one, 502, b" " * (5 << 20)), "HTTP 502, and no JSON of a schema registry"),
    "broken": (lambda one: answer(one, 200, b"{", **{"Content-Length": "9"}), "no connection, or it broke off"),
    "list": (lambda one: answer(one, 200, b"[1]"), "HTTP 200, and no JSON of a schema registry"),
    "nothing": (lambda one: answer(one, 200, {}), "the answer has no schema in it"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_schema_registry_that_answers_badly(shop, send, listen, producers, schemas, how):
    listen(ORDER, format="avro", schema_registry=True, poison="drop")
    shop.variables |= {"KAFKA_SCHEMA_REGISTRY_USERNAME": USER, "KAFKA_SCHEMA_REGISTRY_PASSWORD": PASSWORD}
    sent = send(producers.avro(ORDER, id="a", price=1.5))
    schemas.badly, told = BAD[how]
    printed = shop.ingest(code=1)
    assert f"schema registry {schemas.url}: {told}" in printed and "check KAFKA_SCHEMA_REGISTRY_URL" in printed
    assert PASSWORD not in printed and printed.count("\n") == 2
    assert shop.read() == [] and shop.left_out() == {}
    schemas.badly = None
    shop.ingest()
    assert shop.read() == sent


def test_where_the_schema_registry_is(shop, listen):
    for url, told in {
        "": "KAFKA_SCHEMA_REGISTRY_URL: no schema registry is named",
        "file:///etc": "KAFKA_SCHEMA_REGISTRY_URL: not the URL of a server",
        f"http://{USER}:{PASSWORD}@127.0.0.1:1": "it holds a login, which belongs in KAFKA_SCHEMA_REGISTRY_USERNAME",
    }.items():
        listen(ORDER, format="avro", schema_registry=True)
        shop.variables["KAFKA_SCHEMA_REGISTRY_URL"] = url
        printed = shop.ingest(code=1)
        assert told in printed and PASSWORD not in printed


def test_avro_needs_the_file_of_a_schema(shop, broker, topic):
    shop.listen(broker.address, topics=[topic], format="avro")
    assert "schema is needed for Avro and Protobuf" in shop.ingest(code=1)
    for settings in ({}, {"format": "avro", "schema": "x"}):
        shop.listen(broker.address, topics=[topic], message="shop.Order", **settings)
        assert "message is for Protobuf" in shop.ingest(code=1)
