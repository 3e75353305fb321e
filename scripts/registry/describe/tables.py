"""Statistics of tables."""

from typing import Any

import polars as pl

from registry.describe.statistics import summarise


def column_statistics(table: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Return summary statistics of each column; all are of numbers, without nulls."""
    return {name: summarise(table[name].to_list()) for name in table.columns}


def profile(table: pl.DataFrame) -> dict[str, Any]:
    """Return the number of rows and of duplicate rows and, for each column, what there is to know of it.

    That is its dtype, missing and distinct values, and summary statistics of those that are not missing.
    """
    columns = {}
    for name in table.columns:
        # Under another name, since polars takes one such as `^...$` for a pattern.
        present = table[name].alias("column").drop_nulls()
        columns[name] = {
            "dtype": str(present.dtype),
            "missing": table.height - len(present),
            "missing_rate": (table.height - len(present)) / table.height,
            "distinct": present.n_unique(),
            **(summarise(present.to_list()) if len(present) else {}),
        }
    return {"rows": table.height, "duplicate_rows": table.height - table.n_unique(), "columns": columns}
