"""One spelling for every value, so that a sample's hash does not depend on how a file stores it.

A value is a tag and its bytes, little-endian: null `n`; boolean `b` + 1 byte; any integer `i` + int64; any float `f` +
float64 (one NaN, no minus zero); text `s` + length + UTF-8; binary, and a list of uint8 of any nesting (a picture),
`x` + length + bytes. Widths and nesting are part of the schema, which is hashed beside the values.
"""

import math
import struct
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

_LENGTH = struct.Struct("<Q")


def logical_type(dtype: pa.DataType) -> str:
    """Name an Arrow type by its meaning: string and large_string are one, as are their binary and list siblings."""
    if pat.is_string(dtype) or pat.is_large_string(dtype) or pat.is_string_view(dtype):
        return "string"
    if pat.is_binary(dtype) or pat.is_large_binary(dtype) or pat.is_binary_view(dtype):
        return "binary"
    if pat.is_fixed_size_list(dtype):
        return f"fixed_size_list<{logical_type(dtype.value_type)}>[{dtype.list_size}]"
    if pat.is_list(dtype) or pat.is_large_list(dtype):
        return f"list<{logical_type(dtype.value_type)}>"
    if pat.is_dictionary(dtype):
        return logical_type(dtype.value_type)
    return {"double": "float64", "float": "float32", "halffloat": "float16"}.get(str(dtype), str(dtype))


def _fixed_width(prefix: bytes, numbers: pa.Array, count: int) -> pa.LargeBinaryArray:
    """Return `count` values, each the prefix and its equal share of the bytes of an array without nulls."""
    if not count:
        return pa.array([], pa.large_binary())
    width = numbers.type.bit_width // 8
    data = numbers.buffers()[1].slice(numbers.offset * width, len(numbers) * width)
    shares = pa.FixedSizeBinaryArray.from_buffers(pa.binary(len(data) // count), count, [None, data])
    return _joined([pa.scalar(prefix, pa.large_binary()), shares.cast(pa.large_binary())])


def _sized(tag: bytes, values: pa.Array) -> pa.LargeBinaryArray:
    lengths = _fixed_width(tag, pc.binary_length(values).cast(pa.int64()), len(values))
    return _joined([lengths, values.cast(pa.large_binary())])


def _joined(columns: Sequence[pa.Array | pa.Scalar]) -> pa.LargeBinaryArray:
    """Return, row by row, the values of all columns one after the other."""
    return pc.binary_join_element_wise(*columns, pa.scalar(b"", pa.large_binary()))


def _pictures(column: pa.Array) -> pa.LargeBinaryArray:
    count, size = len(column), 1
    while pat.is_fixed_size_list(column.type) and not column.null_count:
        size *= column.type.list_size
        column = column.flatten()
    if column.type != pa.uint8() or column.null_count:
        raise TypeError(f"only lists of uint8 without nulls have a canonical form, not {column.type}")
    return _fixed_width(b"x" + _LENGTH.pack(size), column, count)


def _present(column: pa.Array) -> pa.LargeBinaryArray:
    dtype = column.type
    if pat.is_boolean(dtype):
        return _fixed_width(b"b", column.cast(pa.uint8()), len(column))
    if pat.is_integer(dtype):
        return _fixed_width(b"i", column.cast(pa.int64()), len(column))
    if pat.is_floating(dtype):
        values = pc.add(column.cast(pa.float64()), 0.0)
        return _fixed_width(b"f", pc.if_else(pc.is_nan(values), math.nan, values), len(column))
    match logical_type(dtype):
        case "string":
            return _sized(b"s", column.cast(pa.large_string()).cast(pa.large_binary()))
        case "binary":
            return _sized(b"x", column)
    return _pictures(column)


def canonical(column: pa.Array) -> pa.LargeBinaryArray:
    """Return the canonical bytes of each value of an Arrow array.

    Raises TypeError for a type that has no canonical form here (lists of anything but uint8, structs, times), and
    pyarrow.ArrowInvalid for an unsigned integer above 2**63 - 1.
    """
    if pat.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pat.is_string_view(column.type) or pat.is_binary_view(column.type):
        column = column.cast(pa.string() if pat.is_string_view(column.type) else pa.binary())
    if not column.null_count:
        return _present(column)
    values, null = _present(column.drop_null()), pa.scalar(b"n", pa.large_binary())
    places = pc.if_else(column.is_valid(), pc.subtract(pc.cumulative_sum(column.is_valid().cast(pa.int64())), 1), None)
    return pc.coalesce(values.take(places), null)


def row_digests(columns: Sequence[pa.LargeBinaryArray], size: int) -> bytes:
    """Return the SHA-256, cut to `size` bytes, of each row's canonical values, one after the other."""
    rows = _joined(columns)
    data, ends = memoryview(rows.buffers()[2] or b""), _ends(rows)
    return b"".join([sha256(data[start:end]).digest()[:size] for start, end in pairwise(ends)])


def data_of(values: pa.LargeBinaryArray) -> memoryview:
    """Return the bytes of all values, one after the other."""
    ends = _ends(values)
    return memoryview(values.buffers()[2] or b"")[ends[0] : ends[-1]]


def _ends(values: pa.LargeBinaryArray) -> list[int]:
    """Return where the bytes of the first value begin, and where those of each end."""
    return memoryview(values.buffers()[1]).cast("q")[values.offset :][: len(values) + 1].tolist()
