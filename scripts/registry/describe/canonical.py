"""One spelling for every value, so that a sample's hash does not depend on how a file stores it.

A value is a tag and its bytes, little-endian. `length` and `count` are uint64.

    n  null              nothing
    b  boolean           1 byte, 0 or 1
    i  integer           int64, whatever its width
    u  integer           uint64, of those above 2**63 - 1 alone
    f  float             float64, whatever its width; one NaN, no minus zero
    q  decimal           its scale as int32, and its digits as an integer of 32 bytes in two's complement
    s  text              length, and UTF-8
    x  binary            length, and bytes; of a fixed size, too
    d  date              int64: days since 1970-01-01
    c  time of day       seconds and nanoseconds
    t  timestamp         seconds and nanoseconds since 1970-01-01 00:00, of the zone UTC if the type has one
    p  duration          seconds and nanoseconds
    l  list              count, and each value in it, spelt in this way; of a fixed size, too
    x  array of bytes    a list of uint8 of fixed sizes, of any nesting (a picture), without nulls: as binary
    r  struct            count, and each field's value, in their order
    m  map               count, and each key with its value, in their order

Seconds and nanoseconds are an int64, rounded down, and a uint32 below 10**9: so a unit does not matter, and none
overflows. No spelling begins another, so that values can stand one after the other. Widths, units, zones, scales and
nesting, and the names of fields, are part of the schema (registry.describe.logical), which is hashed beside the values.
Dictionaries, run-end encoding, views and extension types are spelt as the values that they stand for.
"""

import math
import struct
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from registry.describe.logical import is_list, is_picture, logical_type

if TYPE_CHECKING:
    import numpy as np

_LENGTH = struct.Struct("<Q")
_INT64_MAX = 2**63 - 1
_DECIMAL_BYTES = 32
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_MOMENT = [("seconds", "<i8"), ("nanoseconds", "<u4")]
_DAY = 86_400_000
"""Milliseconds."""


@cache
def _null() -> pa.LargeBinaryScalar:
    """Return the spelling of null; made on import, it would have pyarrow load pandas."""
    return pa.scalar(b"n", pa.large_binary())


def _fixed_width(prefix: bytes, numbers: pa.Array, count: int) -> pa.LargeBinaryArray:
    """Return `count` values, each the prefix and its equal share of the bytes of an array without nulls."""
    if not count:
        return pa.array([], pa.large_binary())
    width = numbers.type.bit_width // 8
    return _prefixed(prefix, numbers.buffers()[1].slice(numbers.offset * width, len(numbers) * width), count)


def _prefixed(prefix: bytes, data: pa.Buffer, count: int) -> pa.LargeBinaryArray:
    """Return `count` values, each the prefix and its equal share of the bytes."""
    shares = pa.FixedSizeBinaryArray.from_buffers(pa.binary(data.size // max(count, 1)), count, [None, data])
    return _joined([pa.scalar(prefix, pa.large_binary()), shares.cast(pa.large_binary())])


def _sized(tag: bytes, values: pa.Array) -> pa.LargeBinaryArray:
    lengths = _fixed_width(tag, pc.binary_length(values).cast(pa.int64()), len(values))
    return _joined([lengths, values.cast(pa.large_binary())])


def _joined(columns: Sequence[pa.Array | pa.Scalar]) -> pa.LargeBinaryArray:
    """Return, row by row, the values of all columns one after the other."""
    return pc.binary_join_element_wise(*columns, pa.scalar(b"", pa.large_binary()))


def _offsets(values: pa.LargeBinaryArray) -> memoryview:
    """Return where the bytes of the first value begin, and where those of each end: int64 (n + 1,)."""
    if not len(values):
        return memoryview(bytes(8)).cast("q")
    return memoryview(values.buffers()[1]).cast("q")[values.offset :][: len(values) + 1]


def _spelt_lists(tag: bytes, ends: "np.ndarray", values: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """Return n lists of spelt values; `ends`, int64 (n + 1,), says where those of each begin and end."""
    import numpy as np

    if len(ends) == 1:
        return pa.array([], pa.large_binary())
    buffers = [None, pa.py_buffer(np.asarray(_offsets(values))[ends]), values.buffers()[2] or pa.py_buffer(b"")]
    inside = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(ends) - 1, buffers)
    return _joined([_fixed_width(tag, pa.array(np.diff(ends)), len(inside)), inside])


def _lists(column: pa.Array) -> pa.LargeBinaryArray:
    places = column.offsets.to_numpy().astype("int64")
    if pat.is_list(column.type) or pat.is_large_list(column.type):
        first, last = places[0], places[-1]
        return _spelt_lists(b"l", places - first, canonical(column.values[first:last]))
    import numpy as np

    # Views may overlap, in any order.
    counts = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype("int64")
    ends = np.concatenate([[0], np.cumsum(counts)])
    used = np.repeat(places[: len(counts)] - ends[:-1], counts) + np.arange(ends[-1])
    first, last = (used.min(), used.max() + 1) if len(used) else (0, 0)
    return _spelt_lists(b"l", ends, canonical(column.values[first:last]).take(pa.array(used - first)))


def _maps(column: pa.MapArray) -> pa.LargeBinaryArray:
    places = column.offsets.to_numpy().astype("int64")
    first, last = places[0], places[-1]
    pairs = [canonical(values[first:last]) for values in (column.keys, column.items)]
    return _spelt_lists(b"m", places - first, _joined(pairs))


def _structs(column: pa.StructArray) -> pa.LargeBinaryArray:
    fields = [canonical(field) for field in column.flatten()]
    prefix = pa.scalar(b"r" + _LENGTH.pack(len(fields)), pa.large_binary())
    return _joined([pa.repeat(prefix, len(column)), *fields])


def _inside(column: pa.FixedSizeListArray) -> pa.Array:
    """Return what lists of a fixed size hold, one after the other; those that are null hold something, too."""
    size = column.type.list_size
    return column.values[column.offset * size : (column.offset + len(column)) * size]


def _fixed_size_lists(column: pa.FixedSizeListArray) -> pa.LargeBinaryArray:
    import numpy as np

    ends = np.arange(len(column) + 1, dtype=np.int64) * column.type.list_size
    return _spelt_lists(b"l", ends, canonical(_inside(column)))


def _pictures(column: pa.FixedSizeListArray) -> pa.LargeBinaryArray:
    size, values = 1, column
    while pat.is_fixed_size_list(values.type):
        size *= values.type.list_size
        values = decoded(_inside(values))
        if values.null_count:
            data, holed = _bytes_inside(column)
            pictures = _prefixed(b"x" + _LENGTH.pack(data.shape[1]), pa.py_buffer(data.tobytes()), len(data))
            return pc.if_else(pa.array(holed), _fixed_size_lists(column), pictures)
    return _fixed_width(b"x" + _LENGTH.pack(size), values, len(column))


def _bytes_inside(column: pa.FixedSizeListArray) -> "tuple[np.ndarray, np.ndarray]":
    """Return the bytes of n pictures, uint8 (n, size), 0 for each that is null, and which have such, bool (n,)."""
    inner, each = decoded(_inside(column)), column.type.list_size
    holed = inner.is_null().to_numpy(zero_copy_only=False)
    if pat.is_fixed_size_list(inner.type):
        data, deeper = _bytes_inside(inner)
        holed |= deeper
    else:
        data = inner.fill_null(0).to_numpy(zero_copy_only=False).reshape(-1, 1)
    return data.reshape(len(column), data.shape[1] * each), holed.reshape(len(column), each).any(axis=1)


def _integers(column: pa.Array) -> pa.LargeBinaryArray:
    if column.type != pa.uint64() or not len(column) or pc.max(column).as_py() <= _INT64_MAX:
        return _fixed_width(b"i", column.cast(pa.int64()), len(column))
    large = pc.greater(column, pa.scalar(_INT64_MAX, pa.uint64()))
    tags = pc.if_else(large, pa.scalar(b"u", pa.large_binary()), pa.scalar(b"i", pa.large_binary()))
    return _joined([tags, _fixed_width(b"", column, len(column))])


def _moments(tag: bytes, column: pa.Array) -> pa.LargeBinaryArray:
    import numpy as np

    dtype, per = column.type, _PER_SECOND[column.type.unit]
    counts = column.cast(pa.int32() if pat.is_time32(dtype) else pa.int64()).to_numpy().astype("int64")
    moments = np.empty(len(counts), _MOMENT)
    moments["seconds"], parts = np.divmod(counts, per)
    moments["nanoseconds"] = parts * (_PER_SECOND["ns"] // per)
    return _prefixed(tag, pa.py_buffer(moments.tobytes()), len(moments))


def _dates(column: pa.Array) -> pa.LargeBinaryArray:
    if pat.is_date64(column.type):
        days = pa.array(column.cast(pa.int64()).to_numpy() // _DAY)
    else:
        days = column.cast(pa.int32()).cast(pa.int64())
    return _fixed_width(b"d", days, len(days))


def _decimals(column: pa.Array) -> pa.LargeBinaryArray:
    import numpy as np

    width = column.type.bit_width // 8
    stored = np.frombuffer(column.buffers()[1] or b"", np.uint8)[column.offset * width :][: len(column) * width]
    stored = stored.reshape(len(column), width)
    digits = np.empty((len(column), _DECIMAL_BYTES), np.uint8)
    digits[:, :width] = stored
    digits[:, width:] = np.where(stored[:, -1:] & 0x80, 0xFF, 0)
    return _prefixed(b"q" + struct.pack("<i", column.type.scale), pa.py_buffer(digits.tobytes()), len(column))


def decoded(column: pa.Array) -> pa.Array:
    """Return the values that a dictionary, run-end encoded or extension array stands for; any other as it is."""
    while True:
        if pat.is_dictionary(column.type):
            column = column.dictionary_decode()
        elif pat.is_run_end_encoded(column.type):
            column = column.values.take(_places_in_runs(column))
        elif isinstance(column, pa.ExtensionArray):
            column = column.storage
        else:
            return column


def _places_in_runs(column: pa.RunEndEncodedArray) -> pa.Int64Array:
    """Return which run each value is in."""
    import numpy as np

    rows = np.arange(column.offset, column.offset + len(column))
    return pa.array(np.searchsorted(column.run_ends.to_numpy(), rows, side="right"), pa.int64())


def _present(column: pa.Array) -> pa.LargeBinaryArray:
    """Return the canonical bytes of each value of an array that is not nested, and has no nulls."""
    dtype = column.type
    if pat.is_boolean(dtype):
        return _fixed_width(b"b", column.cast(pa.uint8()), len(column))
    if pat.is_integer(dtype):
        return _integers(column)
    if pat.is_floating(dtype):
        values = pc.add(column.cast(pa.float64()), 0.0)
        return _fixed_width(b"f", pc.if_else(pc.is_nan(values), math.nan, values), len(column))
    match logical_type(dtype).partition("[")[0]:
        case "string":
            return _sized(b"s", column.cast(pa.large_string()).cast(pa.large_binary()))
        case "binary" | "fixed_size_binary":
            return _sized(b"x", column)
        case "date":
            return _dates(column)
        case "time":
            return _moments(b"c", column)
        case "timestamp":
            return _moments(b"t", column)
        case "duration":
            return _moments(b"p", column)
    if pat.is_decimal(dtype):
        return _decimals(column)
    raise TypeError(f"values of type {dtype} have no canonical form")


def _nested(column: pa.Array) -> pa.LargeBinaryArray:
    """Return the canonical bytes of each value of a nested array; whatever they may be of one that is null."""
    dtype = column.type
    if is_picture(dtype):
        return _pictures(column)
    if pat.is_fixed_size_list(dtype):
        return _fixed_size_lists(column)
    if is_list(dtype):
        return _lists(column)
    if pat.is_struct(dtype):
        return _structs(column)
    if pat.is_map(dtype):
        return _maps(column)
    raise TypeError(f"values of type {dtype} have no canonical form")


def canonical(column: pa.Array) -> pa.LargeBinaryArray:
    """Return the canonical bytes of each value of an Arrow array, none of them null.

    Raises TypeError for a type that has no canonical form: unions, and intervals of months.
    """
    dtype = column.type
    if isinstance(column, pa.ExtensionArray):
        return canonical(column.storage)
    if pat.is_run_end_encoded(dtype):
        return canonical(column.values).take(_places_in_runs(column))
    if pat.is_dictionary(dtype):
        if not (
            pat.is_primitive(dtype.value_type) or pat.is_string(dtype.value_type) or pat.is_binary(dtype.value_type)
        ):
            return pc.coalesce(canonical(column.dictionary).take(column.indices), _null())
        column = column.dictionary_decode()
    if pat.is_string_view(dtype) or pat.is_binary_view(dtype):
        column = column.cast(pa.large_string() if pat.is_string_view(dtype) else pa.large_binary())
    if pat.is_null(dtype):
        return pa.repeat(_null(), len(column))
    valid = column.is_valid() if column.null_count else None
    if pat.is_nested(dtype):
        return _nested(column) if valid is None else pc.if_else(valid, _nested(column), _null())
    if valid is None:
        return _present(column)
    places = pc.if_else(valid, pc.subtract(pc.cumulative_sum(valid.cast(pa.int64())), 1), None)
    return pc.coalesce(_present(column.drop_null()).take(places), _null())


def row_digests(columns: Sequence[pa.LargeBinaryArray], size: int) -> bytes:
    """Return the SHA-256, cut to `size` bytes, of each row's canonical values, one after the other."""
    rows = _joined(columns)
    data, ends = memoryview(rows.buffers()[2] or b""), _offsets(rows).tolist()
    return b"".join([sha256(data[start:end]).digest()[:size] for start, end in pairwise(ends)])


def data_of(values: pa.LargeBinaryArray) -> memoryview:
    """Return the bytes of all values, one after the other."""
    ends = _offsets(values)
    return memoryview(values.buffers()[2] or b"")[ends[0] : ends[-1]]
