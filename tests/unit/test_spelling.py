"""Every Arrow type is spelt as the specification says, in whatever way Arrow stores it, and no two values alike."""

import datetime as dt
import math
import struct
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from registry.describe.canonical import canonical, row_digests
from registry.describe.logical import logical_type
from support import examples

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def sized(tag: bytes, data: bytes) -> bytes:
    return tag + struct.pack("<Q", len(data)) + data


def moment(tag: bytes, count: int, unit: str) -> bytes:
    seconds, parts = divmod(count, PER_SECOND[unit])
    return tag + struct.pack("<qI", seconds, parts * (10**9 // PER_SECOND[unit]))


def bytes_of(value: Any) -> bytes | None:
    """Return the bytes in a nested list of them, None where one is missing."""
    if value is None:
        return None
    if isinstance(value, int):
        return bytes([value])
    inner = [bytes_of(one) for one in value]
    return None if None in inner else b"".join(inner)


def is_picture(dtype: pa.DataType) -> bool:
    return pat.is_fixed_size_list(dtype) and (dtype.value_type == pa.uint8() or is_picture(dtype.value_type))


def spell(value: Any, dtype: pa.DataType) -> bytes:
    """Spell one value as the docstring of registry.describe.canonical says: slowly, and from that text alone.

    Dates, times, timestamps and durations are integers here, as Arrow stores them.
    """
    if value is None:
        return b"n"
    if pat.is_boolean(dtype):
        return b"b" + bytes([value])
    if pat.is_integer(dtype):
        return struct.pack("<cq", b"i", value) if value < 2**63 else struct.pack("<cQ", b"u", value)
    if pat.is_floating(dtype):
        return struct.pack("<cd", b"f", math.nan if math.isnan(value) else value + 0.0)
    if pat.is_decimal(dtype):
        sign, digits, exponent = value.as_tuple()
        digits = (-1) ** sign * int("".join(map(str, digits))) * 10 ** (exponent + dtype.scale)
        return b"q" + struct.pack("<i", dtype.scale) + digits.to_bytes(32, "little", signed=True)
    if pat.is_string(dtype):
        return sized(b"s", value.encode())
    if pat.is_binary(dtype) or pat.is_fixed_size_binary(dtype):
        return sized(b"x", value)
    if pat.is_date32(dtype):
        return struct.pack("<cq", b"d", value)
    if pat.is_date64(dtype):
        return struct.pack("<cq", b"d", value // 86_400_000)
    if pat.is_time(dtype):
        return moment(b"c", value, dtype.unit)
    if pat.is_timestamp(dtype):
        return moment(b"t", value, dtype.unit)
    if pat.is_duration(dtype):
        return moment(b"p", value, dtype.unit)
    if is_picture(dtype) and (data := bytes_of(value)) is not None:
        return sized(b"x", data)
    if pat.is_struct(dtype):
        inner = [spell(value[field.name], field.type) for field in dtype]
        return struct.pack("<cQ", b"r", len(inner)) + b"".join(inner)
    if pat.is_map(dtype):
        inner = [spell(key, dtype.key_type) + spell(one, dtype.item_type) for key, one in value]
        return struct.pack("<cQ", b"m", len(inner)) + b"".join(inner)
    return struct.pack("<cQ", b"l", len(value)) + b"".join(spell(one, dtype.value_type) for one in value)


def integers(bits: int, *, signed: bool = True) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else st.integers(0, 2**bits - 1)


def decimals(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    return st.integers(-(10**digits) + 1, 10**digits - 1).map(lambda whole: Decimal(f"{whole}E{-scale}"))


def floats(width: int) -> st.SearchStrategy[float]:
    # One zero and one NaN: the bits of others are for test_canonical.py.
    return st.floats(width=width, allow_nan=False).map(lambda value: value + 0.0)


SIGNED = {pa.int8(): 8, pa.int16(): 16, pa.int32(): 32, pa.int64(): 64}
UNSIGNED = {pa.uint8(): 8, pa.uint16(): 16, pa.uint32(): 32, pa.uint64(): 64}
UNITS = list(PER_SECOND)
TIMES = [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")]
LEAVES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.null(): st.none(),
    pa.bool_(): st.booleans(),
    **{dtype: integers(bits) for dtype, bits in SIGNED.items()},
    **{dtype: integers(bits, signed=False) for dtype, bits in UNSIGNED.items()},
    pa.float16(): floats(16),
    pa.float32(): floats(32),
    pa.float64(): floats(64),
    pa.decimal128(5, 2): decimals(5, 2),
    pa.decimal128(38, 0): decimals(38, 0),
    pa.decimal128(5, -2): decimals(5, -2),
    pa.decimal256(76, 30): decimals(76, 30),
    pa.string(): st.text(max_size=5),
    pa.binary(): st.binary(max_size=5),
    pa.binary(3): st.binary(min_size=3, max_size=3),
    pa.date32(): integers(32),
    pa.date64(): st.integers(-(2**31), 2**31 - 1).map(lambda day: day * 86_400_000),
    **{dtype: st.integers(0, 86_400 * PER_SECOND[dtype.unit] - 1) for dtype in TIMES},
    **{pa.timestamp(unit): integers(64) for unit in UNITS},
    pa.timestamp("us", "UTC"): integers(64),
    pa.timestamp("ns", "Nowhere/Nobody"): integers(64),
    **{pa.duration(unit): integers(64) for unit in UNITS},
}
Kind = tuple[pa.DataType, st.SearchStrategy[Any]]
"""A type, and values of it."""


def lists_of(kind: Kind) -> Kind:
    return pa.list_(kind[0]), st.lists(st.none() | kind[1], max_size=3)


def fixed_lists_of(kind: Kind, size: int) -> Kind:
    return pa.list_(kind[0], size), st.lists(st.none() | kind[1], min_size=size, max_size=size)


def structs_of(kinds: list[Kind]) -> Kind:
    fields = {f"f{number}": kind for number, kind in enumerate(kinds)}
    return pa.struct([(name, kind[0]) for name, kind in fields.items()]), st.fixed_dictionaries(
        {name: st.none() | kind[1] for name, kind in fields.items()}
    )


def maps_of(kind: Kind) -> Kind:
    pairs = st.lists(st.tuples(st.text(max_size=2), st.none() | kind[1]), max_size=3)
    return pa.map_(pa.string(), kind[0]), pairs


LEAF_KINDS = st.sampled_from([*LEAVES.items()])
PICTURES = st.sampled_from(
    [fixed_lists_of((pa.uint8(), integers(8, signed=False)), 2), fixed_lists_of((pa.uint8(), st.just(7)), 0)]
).flatmap(lambda kind: st.sampled_from([kind, fixed_lists_of(kind, 3)]))
KINDS = st.recursive(
    LEAF_KINDS | PICTURES,
    lambda kinds: (
        kinds.map(lists_of)
        | st.tuples(kinds, st.integers(1, 3)).map(lambda pair: fixed_lists_of(*pair))
        | st.lists(kinds, max_size=3).map(structs_of)
        | kinds.map(maps_of)
    ),
    max_leaves=4,
)


CASES = KINDS.flatmap(lambda kind: st.tuples(st.just(kind[0]), st.lists(st.none() | kind[1], max_size=6)))
TWO_OF_A_TYPE = KINDS.flatmap(lambda kind: st.tuples(st.just(kind[0]), st.none() | kind[1], st.none() | kind[1]))


def stored(values: list[Any], dtype: pa.DataType, draw) -> pa.Array:
    """Return an Arrow array of these values, of this type or another one with its logical type, laid out at random.

    It may be a slice, a dictionary, runs, a view; what lies below a null is not empty.
    """
    before, after = draw(st.lists(st.sampled_from([None, *values]), max_size=2)), draw(st.integers(0, 1))
    padded = before + values + before[:after]
    column = nested(padded, dtype, draw) if pat.is_nested(dtype) else leaf(padded, dtype, draw)
    return encoded(column, dtype, draw)[len(before) :][: len(values)]


def encoded(column: pa.Array, dtype: pa.DataType, draw) -> pa.Array:
    """Return an array as it is, as a dictionary that names nulls, too, or as runs from within the first."""
    # Arrow itself cannot take values out of dictionaries, or runs, of pictures whose bytes are in some again.
    ways = ["plain"] if is_picture(dtype) else ["plain", "plain", "dictionary", "runs"]
    match draw(st.sampled_from(ways)):
        case "dictionary" if not pat.is_null(column.type):
            return pa.DictionaryArray.from_arrays(pa.array(range(len(column)), pa.int32()), column)
        case "runs" if len(column):
            ends = pa.array(range(2, len(column) + 2), pa.int32())
            return pa.RunEndEncodedArray.from_arrays(ends, column)[1:]
    return column


def leaf(values: list[Any], dtype: pa.DataType, draw) -> pa.Array:
    if pat.is_temporal(dtype):
        column = pa.array(values, pa.int32() if dtype.bit_width == 32 else pa.int64())
        if pat.is_date32(dtype) and draw(st.booleans()):
            return pc.multiply(column.cast(pa.int64()), 86_400_000).view(pa.date64())
        return column.view(dtype)
    if pat.is_string(dtype):
        return pa.array(values, draw(st.sampled_from([dtype, pa.large_string(), pa.string_view()])))
    if pat.is_binary(dtype):
        return pa.array(values, draw(st.sampled_from([dtype, pa.large_binary(), pa.binary_view()])))
    if pat.is_decimal(dtype):
        makers = [pa.decimal256, type(dtype) is pa.Decimal128Type and pa.decimal128]
        makers += [pa.decimal32, pa.decimal64] if dtype.precision < 9 else []
        return pa.array(values, draw(st.sampled_from([*filter(None, makers)]))(dtype.precision, dtype.scale))
    if dtype == pa.int8() and draw(st.booleans()):
        return pa.ExtensionArray.from_storage(pa.opaque(dtype, "number", "nobody"), pa.array(values, dtype))
    return pa.array(values, dtype)


def nested(values: list[Any], dtype: pa.DataType, draw) -> pa.Array:
    null = pa.array([value is None for value in values], pa.bool_())
    if pat.is_struct(dtype):
        inside = [value if value is not None else next(filter(None, values), {}) for value in values]
        fields = [stored([one.get(field.name) for one in inside], field.type, draw) for field in dtype]
        if not fields:
            return pa.array(values, dtype)
        return pa.StructArray.from_arrays(fields, [field.name for field in dtype], mask=null)
    if dtype == pa.list_(pa.uint8(), 0):
        return pa.array(values, dtype)
    if pat.is_fixed_size_list(dtype):
        inside = [one for value in values for one in (value if value is not None else [None] * dtype.list_size)]
        return pa.FixedSizeListArray.from_arrays(stored(inside, dtype.value_type, draw), dtype.list_size, mask=null)
    below_null = next(filter(None, values), [])
    inside = [value if value is not None else below_null for value in values]
    ends = [sum(map(len, inside[:number])) for number in range(len(inside) + 1)]
    items = [one for value in inside for one in value]
    if pat.is_map(dtype):
        pairs = [stored([one[place] for one in items], kind, draw) for place, kind in enumerate(kinds_of_map(dtype))]
        return pa.MapArray.from_arrays(pa.array(ends, pa.int32()), *pairs, mask=null)
    children = stored(items, dtype.value_type, draw)
    match draw(st.sampled_from([pa.ListArray, pa.LargeListArray, pa.ListViewArray, pa.LargeListViewArray])):
        case (pa.ListArray | pa.LargeListArray) as maker:
            width = pa.int32() if maker is pa.ListArray else pa.int64()
            return maker.from_arrays(pa.array(ends, width), children, mask=null)
        case maker:
            width = pa.int32() if maker is pa.ListViewArray else pa.int64()
            sizes = pa.array(map(len, inside), width)
            return maker.from_arrays(pa.array(ends[:-1], width), sizes, children, mask=null)


def kinds_of_map(dtype: pa.MapType) -> list[pa.DataType]:
    return [dtype.key_type, dtype.item_type]


@settings(max_examples=examples(60))
@given(CASES, st.data())
def test_values_are_spelt_as_specified_however_arrow_stores_them(case, data):
    dtype, values = case
    column = stored(values, dtype, data.draw)
    assert logical_type(column.type) == logical_type(dtype)
    assert canonical(column).to_pylist() == [spell(value, dtype) for value in values]


@pytest.mark.parametrize("dtype", LEAVES, ids=str)
@settings(max_examples=examples(6))
@given(st.data())
def test_so_are_values_of_every_type_that_is_not_nested(dtype, data):
    values = data.draw(st.lists(st.none() | LEAVES[dtype], min_size=1, max_size=6))
    assert canonical(stored(values, dtype, data.draw)).to_pylist() == [spell(value, dtype) for value in values]


@settings(max_examples=examples(20))
@given(CASES, st.data(), st.integers(0, 6))
def test_chunks_do_not_matter(case, data, cut):
    dtype, values = case
    whole, parts = (
        stored(values, dtype, data.draw),
        [stored(these, dtype, data.draw) for these in (values[:cut], values[cut:])],
    )
    assert b"".join(row_digests([canonical(part)], 16) for part in parts) == row_digests([canonical(whole)], 16)


@settings(max_examples=examples(100))
@given(TWO_OF_A_TYPE)
def test_no_spelling_of_a_type_begins_that_of_another_value(case):
    dtype, one, other = case
    assume(one != other)
    spellings = [spell(value, dtype) for value in (one, other)]
    assert not spellings[0].startswith(spellings[1])
    assert not spellings[1].startswith(spellings[0])


@pytest.mark.parametrize(
    ("column", "spelling"),
    [
        (pa.array([2**64 - 1], pa.uint64()), b"u" + b"\xff" * 8),
        (pa.array([Decimal("-1.50")], pa.decimal128(5, 2)), b"q\x02\0\0\0\x6a" + b"\xff" * 31),
        (pa.array([dt.date(1969, 12, 31)]), b"d" + b"\xff" * 8),
        (pa.array([dt.date(1969, 12, 31)], pa.date64()), b"d" + b"\xff" * 8),
        (pa.array([-1], pa.int64()).view(pa.date64()), b"d" + b"\xff" * 8),
        (pa.array([dt.time(0, 0, 1, 500_000)]), b"c\x01\0\0\0\0\0\0\0\x00\x65\xcd\x1d"),
        (pa.array([-1], pa.timestamp("ns", "UTC")), b"t" + b"\xff" * 8 + b"\xff\xc9\x9a\x3b"),
        (pa.array([dt.timedelta(seconds=2)]), b"p\x02" + b"\0" * 11),
        (pa.array([[1, None]]), b"l\x02\0\0\0\0\0\0\0" + b"i\x01" + b"\0" * 7 + b"n"),
        (pa.array([[1, 2]], pa.list_(pa.uint8(), 2)), b"x\x02\0\0\0\0\0\0\0\x01\x02"),
        (pa.array([{"a": True, "b": None}]), b"r\x02\0\0\0\0\0\0\0b\x01n"),
        (pa.array([{}], pa.struct([])), b"r" + b"\0" * 8),
        (
            pa.array([[("k", False)]], pa.map_(pa.string(), pa.bool_())),
            b"m\x01" + b"\0" * 7 + b"s\x01" + b"\0" * 7 + b"kb\0",
        ),
        (pa.nulls(1), b"n"),
    ],
    ids=lambda case: str(case.type) if isinstance(case, pa.Array) else "",
)
def test_the_bytes_of_one_value_of_each_type(column, spelling):
    assert canonical(column).to_pylist() == [spelling]


@pytest.mark.parametrize("unit", PER_SECOND)
def test_a_unit_does_not_matter(unit):
    count = -3 * PER_SECOND[unit]
    for dtype, tag in ((pa.timestamp(unit), b"t"), (pa.timestamp(unit, "UTC"), b"t"), (pa.duration(unit), b"p")):
        assert canonical(pa.array([count], dtype)).to_pylist() == [tag + struct.pack("<qI", -3, 0)]


def test_a_null_in_a_picture_makes_that_picture_a_list_and_no_other():
    picture = pa.list_(pa.list_(pa.uint8(), 2), 2)
    values = [[[1, 2], [3, 4]], [[1, None], [3, 4]], None, [[1, 2], None]]
    found = canonical(pa.array(values, picture)).to_pylist()
    assert found == [spell(value, picture) for value in values]
    assert [spelling[:1] for spelling in found] == [b"x", b"l", b"n", b"l"]
