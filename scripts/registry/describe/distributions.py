"""What there is to know of the columns of any table: gaps, the values of those that have few, statistics of numbers."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pat

from registry.describe.statistics import summarise
from registry.formats.tables import value_counts

FEW = 20
"""A column with more values than this has no distribution."""
LONGEST = 100
"""Characters of a value that is one of a few."""
AT_ONCE = 1_000_000
"""Numbers that are in memory at once, or else one column."""


class Values:
    """Counts the gaps and the values of columns, of which a batch at a time is there, until a column has many."""

    def __init__(self, schema: pa.Schema) -> None:
        self.missing = dict.fromkeys(schema.names, 0)
        self._counts: dict[str, Counter] = {field.name: Counter() for field in schema if _is_counted(field.type)}

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the values of more rows."""
        for name in batch.schema.names:
            self.missing[name] += batch[name].null_count
        for name in [*self._counts]:
            if pc.count_distinct(batch[name]).as_py() <= FEW:
                self._counts[name] += value_counts(batch[name])
                if len(self._counts[name]) <= FEW and all(len(str(value)) <= LONGEST for value in self._counts[name]):
                    continue
            del self._counts[name]

    def distributions(self) -> dict[str, dict[str, int]]:
        """Return {column: {value: number of rows}} of the columns that have few values, sorted by value."""
        return {
            name: {_as_key(value): counts[value] for value in sorted(counts)}
            for name, counts in self._counts.items()
            if counts
        }


def _as_key(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_counted(dtype: pa.DataType) -> bool:
    return any(is_one(dtype) for is_one in (pat.is_boolean, pat.is_integer, pat.is_string, pat.is_large_string))


def number_statistics(tables: Iterable[Path], schema: pa.Schema) -> dict[str, dict[str, float]]:
    """Return summary statistics of each column of numbers over all tables; few columns are in memory at a time."""
    tables = [*tables]
    numbers = [place for place, field in enumerate(schema) if pat.is_integer(field.type) or pat.is_floating(field.type)]
    at_once = max(1, AT_ONCE // max(1, sum(pq.read_metadata(table).num_rows for table in tables)))
    found = {}
    for start in range(0, len(numbers), at_once):
        some = numbers[start : start + at_once]
        parts = [pl.read_parquet(table, columns=some).get_columns() for table in tables]
        for place, columns in zip(some, zip(*parts, strict=True), strict=True):
            # Under another name, since polars takes one such as `^...$` for a pattern.
            values = pl.concat(columns).alias("column").drop_nulls()
            if len(values):
                found[schema.field(place).name] = summarise(values.to_numpy())
    return found
