"""What is measured of the values of a column, by its type: numbers that can be drawn, and compared with other versions.

| measure | of what |
|---|---|
| value | integers, floats and decimals, themselves |
| time | dates, in days; timestamps, times of day and durations, in microseconds |
| characters | texts, and all that is said in a conversation, Unicode code points |
| items | lists of any length; of a conversation, its turns |
| bytes | binary values, encoded pictures among them |
| brightness | pictures, the mean of all pixels as 8-bit grey, or of all bytes of a picture that is stored as lists |
| width, height | encoded pictures, in pixels |
| norm, similarity | vectors: their lengths, and the cosines of their angles to the mean of all |
"""

from collections.abc import Callable

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from registry.describe.canonical import decoded
from registry.describe.logical import is_list, is_picture, plain_type
from registry.describe.turns import Turns, is_conversation

Measured = dict[str, np.ndarray]
"""Numbers by measure, one for each row; where a row has none, it is masked."""
Measure = Callable[[pa.Array], Measured]

DAYS, MICROSECONDS = "day", "microsecond"
DIMENSIONS = 1 << 13
"""Of a vector that is measured, at most: sums of so many squares of STEPS are exact."""
STEPS = 20
"""Bits to which the numbers of a vector are rounded, relative to its largest."""
UNIT = 18
"""Bits to which those of a vector of length 1 are."""
DIGITS = 12
"""Bits to which a length is rounded, so that those of vectors that were brought to length 1 are."""
DECIMALS = 4
"""To which a cosine is rounded."""


def plain(values: pa.Array) -> pa.Array:
    """Return values as they are measured: without dictionaries, runs, extensions and views."""
    values = decoded(values)
    if pat.is_string_view(values.type):
        return values.cast(pa.large_string())
    return values.cast(pa.large_binary()) if pat.is_binary_view(values.type) else values


def is_text(dtype: pa.DataType) -> bool:
    """Tell whether values of a plain type are texts."""
    return pat.is_string(dtype) or pat.is_large_string(dtype) or pat.is_string_view(dtype)


def is_vector(dtype: pa.DataType) -> bool:
    """Tell whether values of a plain type are lists of numbers, all of one length."""
    if not pat.is_fixed_size_list(dtype) or dtype.list_size > DIMENSIONS:
        return False
    inner = plain_type(dtype.value_type)
    return pat.is_floating(inner) or pat.is_integer(inner)


def unit_of(dtype: pa.DataType) -> str | None:
    """Return in which unit `time` is measured of values of a plain type."""
    return None if not pat.is_temporal(dtype) else DAYS if pat.is_date(dtype) else MICROSECONDS


def cheap_measure(dtype: pa.DataType) -> Measure | None:
    """Return what measures values of a plain type, of which all rows can be measured; None where nothing does."""
    if pat.is_integer(dtype) or pat.is_floating(dtype) or pat.is_decimal(dtype):
        return lambda values: {"value": _numbers(values)}
    if pat.is_temporal(dtype):
        return lambda values: {"time": _times(values)}
    if is_text(dtype):
        return lambda values: {"characters": _filled(pc.utf8_length(values), values)}
    if is_conversation(dtype):
        return _conversations
    if is_list(dtype):
        return lambda values: {"items": _filled(pc.list_value_length(values), values)}
    if pat.is_binary(dtype) or pat.is_large_binary(dtype) or pat.is_binary_view(dtype):
        return lambda values: {"bytes": _filled(pc.binary_length(values), values)}
    if is_picture(dtype) and not is_vector(dtype):
        return lambda values: {"brightness": _means(values)}
    return None


def _filled(found: pa.Array, of: pa.Array) -> np.ndarray:
    """Return numbers that were found of values, masked where there are none."""
    if not of.null_count:
        return found.to_numpy(zero_copy_only=False)
    missing = of.is_null().to_numpy(zero_copy_only=False)
    return np.ma.masked_array(found.fill_null(0).to_numpy(zero_copy_only=False), missing)


def _numbers(values: pa.Array) -> np.ndarray:
    if pat.is_decimal(values.type) or pat.is_float16(values.type):
        values = values.cast(pa.float64())
    if values.type == pa.uint64() and (pc.max(values).as_py() or 0) >= 1 << 63:
        values = values.cast(pa.float64(), safe=False)
    found = _filled(values, values)
    if found.dtype.kind == "f":
        found = np.ma.masked_invalid(found) if not np.isfinite(found).all() else found
        return found + found.dtype.type(0)  # There is no minus zero: in which order it came would show.
    return found


def _times(values: pa.Array) -> np.ndarray:
    dtype = values.type
    narrow = pat.is_date32(dtype) or pat.is_time32(dtype)
    counts = _filled((values.cast(pa.int32()) if narrow else values).cast(pa.int64()), values)
    if pat.is_date32(dtype):
        return counts
    if pat.is_date64(dtype):
        return counts // 86_400_000
    unit = dtype.unit
    return counts // 1000 if unit == "ns" else counts * {"s": 1_000_000, "ms": 1_000, "us": 1}[unit]


def _conversations(values: pa.Array) -> Measured:
    turns = Turns(pl.Series(values))
    characters = turns.total(turns.content.str.len_chars())
    return {
        "items": _filled(turns.lengths.to_arrow(), values),
        "characters": _filled(characters.to_arrow(), values),
    }


def _flat(values: pa.Array) -> np.ndarray:
    """Return what lists of fixed sizes hold, (rows, size), 0 for what is null."""
    rows, size = len(values), 1
    while pat.is_fixed_size_list(values.type):
        each = values.type.list_size
        values, size = decoded(values.values[values.offset * each : (values.offset + len(values)) * each]), size * each
    if values.null_count:
        values = values.fill_null(0)
    return values.to_numpy(zero_copy_only=False).reshape(rows, size)


def _means(values: pa.Array) -> np.ndarray:
    found = _flat(values)
    means = found.sum(axis=1, dtype=np.int64) / max(found.shape[1], 1)
    return np.ma.masked_array(means, values.is_null().to_numpy(zero_copy_only=False)) if values.null_count else means


def vectors_of(values: pa.Array) -> Measured:
    """Return vectors, none of them null, float32 or float64 (n, dimensions), to be measured once all are there."""
    found = _flat(values)
    return {"vectors": found if found.dtype == np.float32 else found.astype(np.float64)}


def vector_measures(vectors: np.ndarray) -> Measured:
    """Measure vectors (n, dimensions), all of one split: their lengths, and how they lie to the mean of all.

    All is done with integers in floats, whose sums are exact.
    """
    vectors = np.where(np.isfinite(vectors), vectors, 0).astype(np.float64)
    exponents = np.frexp(np.abs(vectors).max(axis=1, initial=0))[1]
    whole = np.rint(np.ldexp(vectors, STEPS - exponents[:, None]))
    lengths = np.sqrt((whole * whole).sum(axis=1))
    fractions, places = np.frexp(lengths)
    norms = np.ldexp(np.rint(np.ldexp(fractions, DIGITS)), places - DIGITS + exponents - STEPS)
    there = lengths > 0
    units = np.rint(np.ldexp(whole[there] / lengths[there, None], UNIT))
    mean = np.rint(units.sum(axis=0) / max(len(units), 1))
    length = np.sqrt((mean * mean).sum())
    cosines = np.round((units @ mean) / (np.ldexp(1.0, UNIT) * length), DECIMALS) if length else np.empty(0)
    return {"norm": norms, "similarity": cosines + 0.0}


def hashes_of(texts: pa.Array) -> np.ndarray:
    """Return a uint64 for each text, which equal texts share, and others only by a rare chance; of null, any."""
    return _filled(pl.Series(texts).hash().to_arrow(), texts)
