"""Which types of Arrow polars has. Light: those who only read data ask it, too."""

from collections.abc import Iterator
from functools import cache

import polars as pl
import pyarrow as pa
import pyarrow.types as pat

from registry.describe.logical import plain_type


@cache
def is_in_polars(dtype: pa.DataType) -> bool:
    """Tell whether polars has a type for an Arrow type: it ends the process over some, and refuses others."""
    if any(pat.is_decimal256(one) or (pat.is_fixed_size_list(one) and not one.list_size) for one in _within(dtype)):
        return False
    try:
        pl.from_arrow(pa.array([], dtype))
    except (pl.exceptions.PolarsError, pa.ArrowException):
        return False
    return True


def _within(dtype: pa.DataType) -> Iterator[pa.DataType]:
    dtype = plain_type(dtype)
    yield dtype
    for number in range(dtype.num_fields):
        yield from _within(dtype.field(number).type)
