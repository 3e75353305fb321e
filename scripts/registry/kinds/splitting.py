"""Share rows out among splits: each by itself, so that a dataset that grows moves none."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from registry.config.kinds import WHOLE
from registry.describe.canonical import canonical, row_digests
from registry.errors import RegistryError

DRAW_BYTES = 8

Assign = Callable[[str, pl.DataFrame], pl.Series]
"""Return the split of each row of a table that was read from the source file of this name; null for none."""


def splitter(split: Mapping[str, Any] | None, inputs: Sequence[str]) -> Assign:
    """Return what finds the split of rows, as the param `split` says; `inputs` are the columns that tell rows apart."""
    match split:
        case None:
            return lambda file, rows: pl.repeat(WHOLE, rows.height, eager=True)
        case {"ratios": ratios}:
            by, seed = split.get("by", inputs), split.get("seed", 0)
            return lambda file, rows: drawn([_column(rows, name) for name in by], ratios, seed)
        case {"files": files}:
            names = {name: part for part, its in files.items() for name in its}
            return lambda file, rows: pl.repeat(names[file], rows.height, dtype=pl.String, eager=True)
    splits = {value: name for name, values in split["values"].items() for value in values}
    return lambda file, rows: named(_column(rows, split["column"]), splits)


def _column(rows: pl.DataFrame, name: str) -> pl.Series:
    """Return a column by which rows are shared out; RegistryError if there is none of this name."""
    if name not in rows.columns:
        there = ", ".join(column for column in rows.columns if column.isprintable())
        raise RegistryError(f"there is no column {name}", where="params.split", hint=f"there is {there or 'none'}")
    return rows.get_column(name)


def drawn(columns: Sequence[pl.Series], ratios: Mapping[str, float], seed: int) -> pl.Series:
    """Return a split for each row, drawn by a hash of the seed and of its canonical values in these columns.

    Equal rows get the same split. The draw is the first 8 bytes of the SHA-256, over 2**64, held against the running
    sums of the ratios, which add up to 1.
    """
    values = [canonical(pa.repeat(seed, len(columns[0]))), *(canonical(column.to_arrow()) for column in columns)]
    draws = np.frombuffer(row_digests(values, DRAW_BYTES), ">u8") / 2**64
    bounds = np.cumsum([*ratios.values()])[:-1]
    return pl.Series([*ratios]).gather(np.searchsorted(bounds, draws, side="right"))


def named(column: pl.Series, splits: Mapping[Any, str]) -> pl.Series:
    """Return the split of each row by its value in a column. RegistryError for a value that is in no split."""
    found = column.alias("column").replace_strict(splits, default=None, return_dtype=pl.String)
    if found.null_count():
        value = column.filter(found.is_null())[0]
        hint = "name it in params.split.values"
        raise RegistryError(f"{column.name} is {str(value)[:80]!r}, which is in no split", hint=hint)
    return found
