"""Statistics of tables."""

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from registry.describe.statistics import summarise


def column_statistics(table: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Return summary statistics of each column; all are of numbers, without nulls."""
    return {name: summarise(table[name].to_numpy()) for name in table.columns}


def profile(file: str | Path, *, duplicate_rows: int) -> dict[str, Any]:
    """Return the number of rows and of duplicate rows and, for each column, what there is to know of it.

    That is its dtype, missing and distinct values, and of those that are not missing, summary statistics if they are
    numbers, and the first and the last if they are dates, times, timestamps or durations. One column is in memory at a
    time.
    """
    with pq.ParquetFile(file) as table:
        rows, names = table.metadata.num_rows, table.schema_arrow.names
    columns = {}
    for number, name in enumerate(names):
        # Under another name, since polars takes one such as `^...$` for a pattern.
        present = pl.read_parquet(file, columns=[number]).to_series().alias("column").drop_nulls()
        columns[name] = {
            "dtype": str(present.dtype),
            "missing": rows - len(present),
            "missing_rate": (rows - len(present)) / rows,
            "distinct": present.n_unique(),
            **(_range(present) if len(present) else {}),
        }
    return {"rows": rows, "duplicate_rows": duplicate_rows, "columns": columns}


def _range(present: pl.Series) -> dict[str, Any]:
    if present.dtype.is_decimal():
        present = present.cast(pl.Float64)
    if present.dtype.is_numeric():
        return summarise(present.to_numpy())
    return {"min": str(present.min()), "max": str(present.max())} if present.dtype.is_temporal() else {}
