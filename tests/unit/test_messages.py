"""Messages in JSON, Avro and Protobuf, and what becomes of bytes and schemas that are none."""

import json
from base64 import b64decode
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import RegistryError
from registry.formats.avro import AvroMessages
from registry.formats.fields import SchemaError, changes
from registry.formats.json_messages import JsonMessages
from registry.formats.protobuf import ProtobufMessages, packed
from registry.sources.batches import Notes
from registry.sources.writers import FILE, Schema, decoder_of, split
from registry.streams.schema_files import packed_file
from support import examples
from written import PARTS, PROTO, avro, message_class, record

TYPES = {
    "a": "int",
    "text": ("string", ""),
    "price": (["null", "double"], None),
    "at": {"type": "long", "logicalType": "timestamp-millis"},
    "since": {"type": "long", "logicalType": "local-timestamp-micros"},
    "day": {"type": "int", "logicalType": "date"},
    "hour": {"type": "int", "logicalType": "time-millis"},
    "cost": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2},
    "key": {"type": "string", "logicalType": "uuid"},
    "kind": {"type": "enum", "name": "Kind", "symbols": ["NONE", "SOLD"]},
    "digest": {"type": "fixed", "name": "Digest", "size": 4},
    "tags": {"type": "array", "items": ["null", "string"]},
    "parts": {"type": "map", "values": {"type": "record", "name": "Part", "fields": [{"name": "n", "type": "long"}]}},
}


@pytest.fixture(scope="module")
def proto(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proto")
    (folder / "order.proto").write_text(PROTO)
    (folder / "parts.proto").write_text(PARTS)
    return folder / "order.proto"


@pytest.fixture(scope="module")
def order(proto):
    """A message in Protobuf that has some of everything."""
    order = message_class(proto, "shop.Order")(id="1", counts={"x": 1}, parts=[{"name": "lid"}], rating=3)
    order.at.seconds = 1 << 40
    return order.SerializeToString()


@pytest.fixture(scope="module")
def readers(proto):
    orders = ProtobufMessages(packed_file(proto), "shop.Order")
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    each = [AvroMessages(json.dumps(record(**{name: kind}))) for name, kind in TYPES.items()]
    return [JsonMessages(json.dumps(schema)), AvroMessages(json.dumps(record(**TYPES))), orders, *each]


def test_values_of_avro():
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    schema = record(a="int", price=["null", "double"], at=TYPES["at"], key=TYPES["key"], tags=TYPES["tags"])
    values = {"a": 1, "price": None, "at": moment, "key": "no UUID", "tags": ["x", None]}
    plain = record(**{field["name"]: field["type"] for field in schema["fields"]} | {"key": "string"})
    assert AvroMessages(json.dumps(schema)).decode(avro(plain, **values)) == values


def test_values_of_protobuf(proto, tmp_path):
    order = message_class(proto, "shop.Order")(id="1", counts={"x": 1 << 40}, parts=[{"name": "lid"}], kind=1)
    order.at.FromDatetime(datetime(2026, 11, 1))
    (tmp_path / "order.bin").write_bytes(b64decode(packed_file(proto)))
    assert packed_file(tmp_path / "order.bin") == packed_file(proto)
    assert ProtobufMessages(packed_file(proto), "shop.Order").decode(order.SerializeToString()) == {
        "id": "1",
        "price": 0.0,
        "at": datetime(2026, 11, 1, tzinfo=UTC),
        "parts": [{"name": "lid"}],
        "counts": {"x": 1 << 40},
        "rating": None,
        "kind": "SOLD",
    }


@settings(max_examples=examples(300), deadline=None)
@given(st.data())
def test_any_bytes_are_a_dict_or_a_value_error(readers, data):
    for reader in readers:
        value = data.draw(st.binary(max_size=40) | st.binary(max_size=3).map(lambda some: some + b"\xff" * 12))
        try:
            assert isinstance(reader.decode(value), dict)
        except ValueError as error:
            assert str(error)


@settings(max_examples=examples(200), deadline=None)
@given(st.data())
def test_a_message_that_was_cut_or_changed_is_a_dict_or_a_value_error(readers, order, data):
    values = [b'{"a": 1}', avro(record(a="int", text="string"), a=1, text="x" * 90), order]
    for reader, value in zip(readers[:3], values, strict=True):
        changed = bytearray(value)
        changed[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
        try:
            assert isinstance(reader.decode(bytes(changed[: data.draw(st.integers(0, len(value)))])), dict)
        except ValueError as error:
            assert str(error)


@given(st.binary(max_size=12), st.booleans())
def test_any_bytes_name_a_schema_or_raise_a_value_error(value, protobuf):
    try:
        number, indexes, rest = split(value, protobuf=protobuf)
    except ValueError:
        return
    assert value[:5] == b"\0" + number.to_bytes(4, "big") and value.endswith(rest)
    assert indexes and all(index >= 0 for index in indexes)


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["record", "int", "array", "x"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["type", "name", "fields", "items", "values", "symbols", "size", "logicalType", "precision"]
            )
            | st.sampled_from(["namespace", "aliases", "default", "scale", "__fastavro_parsed", "__named_schemas"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=examples(150), deadline=None)
@given(JSONS, st.lists(JSONS, max_size=3))
def test_any_schema_of_avro_is_one_or_a_schema_error(schema, kinds):
    described = [{"name": f"f{number}", "type": kind} for number, kind in enumerate(kinds)]
    for one in (schema, {"type": "record", "name": "R", "fields": schema}, record() | {"fields": described}):
        try:
            reader = AvroMessages(json.dumps(one))
        except SchemaError as error:
            assert str(error)
            continue
        with suppress(ValueError):
            reader.decode(b"\2" * 30)


HOLDS_ITSELF = record(next=(["null", "shop.Order"], None))
NESTED = '{"type": "array", "items": ' * 5000 + '"int"' + "}" * 5000
CHAIN = [{"type": "record", "name": f"R{n}", "fields": [{"name": "f", "type": f"R{n - 1}"}]} for n in range(1, 5000)]
DOUBLED = [
    {"type": "record", "name": f"R{n}", "fields": [{"name": name, "type": f"R{n - 1}"} for name in "ab"]}
    for n in range(1, 40)
]
LEAF = {"type": "record", "name": "R0", "fields": [{"name": "f", "type": "int"}]}


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        ("{", "no schema of Avro"),
        ('"int"', "describes no record"),
        ('["int", "string"]', "describes no record"),
        (json.dumps(HOLDS_ITSELF), "shop.Order holds itself"),
        (json.dumps(record(n="null")), "n: it has values that take no bytes"),
        (json.dumps(record(n={"type": "array", "items": "null"})), r"n\[\]: it has values that take no bytes"),
        (json.dumps(record(n={"type": "fixed", "name": "F", "size": 0})), "n: it has values that take no bytes"),
        (json.dumps(record(n="elsewhere.Part")), "no schema of Avro: UnknownType: elsewhere.Part"),
        (NESTED, "too deeply"),
        (
            json.dumps({"__fastavro_parsed": True, "__named_schemas": {}} | record(n="elsewhere.Part")),
            "no schema of Avro: UnknownType",
        ),
    ],
    ids=["cut", "int", "union", "itself", "null", "nulls", "empty", "unknown", "nested", "notes"],
)
def test_schemas_of_avro_that_are_refused(schema, wrong):
    with pytest.raises(SchemaError, match=wrong):
        AvroMessages(schema)


@pytest.mark.parametrize(("types", "wrong"), [(CHAIN, "too deeply"), (DOUBLED, "more than 10,000 fields")])
def test_schemas_of_avro_that_grow(types, wrong):
    references = [json.dumps(one) for one in (LEAF, *types)]
    with pytest.raises(SchemaError, match=wrong):
        AvroMessages(json.dumps(record(top=types[-1]["name"]) | {"namespace": ""}), references)


def test_schemas_of_protobuf_that_are_refused(proto, tmp_path):
    with pytest.raises(SchemaError, match="no compiled files"):
        ProtobufMessages("AAAA", "shop.Order")
    with pytest.raises(SchemaError, match="no message shop.None"):
        ProtobufMessages(packed_file(proto), "shop.None")
    with pytest.raises(ValueError, match="no type of its schema"):
        ProtobufMessages(packed_file(proto), indexes=(0, 7))
    (tmp_path / "a.proto").write_text('syntax = "proto3"; import "http://host/b.proto"; message A { int32 a = 1; }')
    with pytest.raises(SchemaError, match="no Protobuf: "):
        packed_file(tmp_path / "a.proto")
    (tmp_path / "b.bin").write_bytes(b"")
    with pytest.raises(SchemaError, match="it is empty"):
        packed_file(tmp_path / "b.bin")


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Reads messages that may hold any number of their own type, which has 500 fields."""
    file = tmp_path_factory.mktemp("wide") / "wide.proto"
    group = "repeated group Gone = 3 { repeated Wide more = 1; }"
    fields = "\n".join(f"optional int32 f{number} = {number};" for number in range(4, 501))
    file.write_text(
        f'syntax = "proto2"; message Wide {{ repeated Wide parts = 1; map<int32, Wide> by = 2; {group} {fields} }}'
    )
    return ProtobufMessages(packed_file(file), "Wide")


PART, ENTRY, IN_GROUP = b"\x0a\x00", b"\x12\x02\x12\x00", b"\x1b\x0a\x00\x1c"


@pytest.mark.parametrize("part", [PART, ENTRY, IN_GROUP])
def test_a_few_bytes_do_not_become_gigabytes(wide, part):
    with pytest.raises(ValueError, match="it has more than 1,000,000 fields"):
        wide.decode(part * (1_000_000 // len(part)))
    found = wide.decode(part * 1900)
    assert (len(found["parts"]), len(found["by"]), len(found["gone"])) in ((1900, 0, 0), (0, 1, 0), (0, 0, 1900))
    assert len((found["parts"] or [*found["by"].values()] or found["gone"][0]["more"])[0]) == 500


def test_messages_of_protobuf_within_each_other_without_end(wide):
    body = b""
    for _ in range(2_000):
        length, header = len(body), b"\x0a"
        while length > 127:
            header, length = header + bytes([length & 127 | 128]), length >> 7
        body = header + bytes([length]) + body
    with pytest.raises(ValueError, match="more than 100 messages are within each other|no Protobuf"):
        wide.decode(body)
    with pytest.raises(ValueError, match="no Protobuf"):
        wide.decode(PART * 3_000 + b"\x0a")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"a": "int"}, {"a": "int", "b": "string"}, []),
        ({"a": "int"}, {"a": "string"}, ["a was int, and is string"]),
        ({"a": "long"}, {"a": "int"}, []),
        ({"a": "int"}, {"a": "long"}, ["a was int, and is long"]),
        ({"a": "int"}, {"b": "int"}, ["a, which was int, is gone"]),
        ({"a": ("int", 0)}, {"b": "int"}, []),
        ({"a": "double"}, {"a": ["null", "double"]}, ["a was double, and is double or null"]),
        ({"a": ["null", "double"]}, {"a": "double"}, []),
        ({"a": TYPES["at"]}, {"a": "long"}, ["a was long (timestamp-millis), and is long"]),
        ({"a": TYPES["parts"]}, {"a": "int"}, ["a was map, and is int"]),
        ({"a": TYPES["tags"]}, {"a": {"type": "array", "items": "int"}}, ["a[] was null or string, and is int"]),
    ],
)  # fmt: skip
def test_what_changed_between_schemas(old, new, told):
    assert changes(*(AvroMessages(json.dumps(record(**kinds))).fields for kinds in (old, new))) == told


def test_a_batch_decodes_its_messages_by_itself():
    schema = record(a="int")
    kept = Schema("avro", json.dumps(schema)).as_kept()
    bare, framed = avro(schema, a=7), b"\0\0\0\0\3" + avro(schema, a=7)
    assert decoder_of(Notes({}, {}))(b'{"a": 7}') == {"a": 7}
    assert decoder_of(Notes({}, {FILE: kept}))(bare) == {"a": 7}
    decode = decoder_of(Notes({}, {"3": kept}))
    assert decode(framed) == {"a": 7}
    with pytest.raises(ValueError, match="the batch has no schema 4"):
        decode(b"\0\0\0\0\4\0")


@pytest.mark.parametrize(
    "schemas", [{"file": 1}, {"file": {"format": "xml", "schema": "x"}}, [1], {"file": {"no": "x"}}]
)
def test_a_batch_whose_schemas_are_none(schemas):
    with pytest.raises(RegistryError, match="the schemas of a batch cannot be used"):
        decoder_of(Notes({}, schemas))


def test_a_file_of_googles_is_added():
    file = FileDescriptorProto(name="a.proto", dependency=["google/protobuf/type.proto"], syntax="proto3")
    file.message_type.add(name="A").field.add(name="a", number=1, type=9, label=1)
    assert ProtobufMessages(packed([file]), "A").decode(b"\n\1x") == {"a": "x"}
    file.dependency.append("elsewhere.proto")
    with pytest.raises(SchemaError, match="it imports elsewhere.proto, which is not in it"):
        packed([file])
