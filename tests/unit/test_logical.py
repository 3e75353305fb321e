"""Names of types: one for all encodings of a meaning, and back to a type that has it."""

import pyarrow as pa
import pytest

from registry.describe.logical import MAX_DEPTH, arrow_type, logical_type

PICTURE = pa.list_(pa.list_(pa.uint8(), 2), 3)
NAMES = [
    (pa.large_string(), "string"),
    (pa.string_view(), "string"),
    (pa.dictionary(pa.int8(), pa.large_string()), "string"),
    (pa.run_end_encoded(pa.int16(), pa.string()), "string"),
    (pa.large_binary(), "binary"),
    (pa.binary_view(), "binary"),
    (pa.binary(16), "fixed_size_binary[16]"),
    (pa.uuid(), "fixed_size_binary[16]"),
    (pa.null(), "null"),
    (pa.bool_(), "bool"),
    (pa.uint8(), "uint8"),
    (pa.int64(), "int64"),
    (pa.uint64(), "uint64"),
    (pa.float16(), "float16"),
    (pa.float32(), "float32"),
    (pa.float64(), "float64"),
    (pa.decimal32(5, 2), "decimal(5, 2)"),
    (pa.decimal256(5, 2), "decimal(5, 2)"),
    (pa.decimal128(5, -2), "decimal(5, -2)"),
    (pa.decimal256(50, 2), "decimal(50, 2)"),
    (pa.date32(), "date"),
    (pa.date64(), "date"),
    (pa.time32("ms"), "time[ms]"),
    (pa.time64("ns"), "time[ns]"),
    (pa.timestamp("s"), "timestamp[s]"),
    (pa.timestamp("us", "UTC"), "timestamp[us, tz=UTC]"),
    (pa.timestamp("us", "+01:00"), "timestamp[us, tz=+01:00]"),
    (pa.timestamp("us", "America/Port-au-Prince"), "timestamp[us, tz=America/Port-au-Prince]"),
    (pa.duration("ns"), "duration[ns]"),
    (pa.large_list(pa.large_string()), "list<string>"),
    (pa.large_list_view(pa.list_view(pa.string_view())), "list<list<string>>"),
    (PICTURE, "fixed_size_list<fixed_size_list<uint8>[2]>[3]"),
    (pa.fixed_shape_tensor(pa.float32(), [2, 3]), "fixed_size_list<float32>[6]"),
    (pa.list_(pa.struct([("role", pa.string()), ("at", pa.date64())])), "list<struct<role: string, at: date>>"),
    (pa.struct([]), "struct<>"),
    (pa.struct([("a: b>", pa.int8()), ('"', pa.int8())]), r'struct<"a: b>": int8, "\"": int8>'),
    (pa.struct([("", pa.int8())]), 'struct<"": int8>'),
    (pa.struct([("größe", pa.int8()), ("a\nb", pa.int8())]), r'struct<größe: int8, "a\nb": int8>'),
    (pa.map_(pa.string(), pa.list_(pa.time32("s"))), "map<string, list<time[s]>>"),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "name"), NAMES, ids=str)
def test_a_type_is_named_by_its_meaning(dtype, name):
    assert logical_type(dtype) == name


@pytest.mark.parametrize("name", sorted({name for _, name in NAMES}))
def test_a_name_leads_to_a_type_that_has_it(name):
    assert logical_type(arrow_type(name)) == name


DEEP = "list<" * MAX_DEPTH + "int8" + ">" * MAX_DEPTH


@pytest.mark.parametrize(
    "name",
    [
        "", "text", "int", "double", "list", "list<", "list<int8", "list<int8>>", "list<int8> ", "list<int8>[3]",
        "struct<a>", "struct<a: int8,b: int8>", "struct<a b: int8>", 'struct<"a": int8>', 'struct<"a: int8>',
        'struct<"\\x": int8>',
        "fixed_size_list<int8>[]", "fixed_size_list<int8>[99999999999]", "fixed_size_binary[99999999999]", "map<int8>",
        "decimal(5)", "decimal(500, 2)", "decimal(0, 0)", "time", "time[h]", "timestamp", "timestamp[us, UTC]",
        "duration[us, tz=UTC]", "string<int8>", "\0", DEEP, "list<" * 100_000,
    ],
    ids=lambda name: repr(name[:30]),
)  # fmt: skip
def test_what_is_no_name_of_a_type_is_a_value_error(name):
    with pytest.raises(ValueError, match=r".*"):
        arrow_type(name)


def test_types_may_be_nested_deeply():
    assert logical_type(arrow_type(DEEP.removeprefix("list<").removesuffix(">"))) in DEEP
