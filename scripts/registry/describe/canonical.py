"""One spelling for every value, so that a sample's hash does not depend on how a file stores it.

A value is a tag and its bytes, little-endian: null `n`; boolean `b` + 1 byte; any integer `i` + int64; any float `f` +
float64 (one NaN, no minus zero); text `s` + length + UTF-8; binary, and a list of uint8 of any nesting (a picture),
`x` + length + bytes. Widths and nesting are part of the schema, which is hashed beside the values.
"""

import math
import struct

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


def _fixed_width(prefix: bytes, numbers: pa.Array, count: int) -> list[bytes]:
    """Return `count` values, each the prefix and its equal share of the bytes of an array without nulls."""
    width = numbers.type.bit_width // 8
    data = memoryview(numbers.buffers()[1] or b"")[numbers.offset * width :][: len(numbers) * width].tobytes()
    share = len(data) // max(count, 1)
    return [prefix + data[share * place : share * (place + 1)] for place in range(count)]


def _sized(tag: bytes, values: list[bytes]) -> list[bytes]:
    return [tag + _LENGTH.pack(len(value)) + value for value in values]


def _pictures(column: pa.Array) -> list[bytes]:
    count, size = len(column), 1
    while pat.is_fixed_size_list(column.type) and not column.null_count:
        size *= column.type.list_size
        column = column.flatten()
    if column.type != pa.uint8() or column.null_count:
        raise TypeError(f"only lists of uint8 without nulls have a canonical form, not {column.type}")
    return _fixed_width(b"x" + _LENGTH.pack(size), column, count)


def _present(column: pa.Array) -> list[bytes]:
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
            return _sized(b"s", column.cast(pa.binary()).to_pylist())
        case "binary":
            return _sized(b"x", column.to_pylist())
    return _pictures(column)


def canonical(column: pa.Array) -> list[bytes]:
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
    present = iter(_present(column.drop_null()))
    return [next(present) if valid else b"n" for valid in column.is_valid().to_pylist()]
