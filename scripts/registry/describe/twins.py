"""Find the rows of a manifest that are the same, or have the same input."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from registry.describe.columns import SHOWN
from registry.describe.repeated import among, repeated_heads

TWIN = " = "
"""Stands between the keys of rows that are twins."""
TWINS = SHOWN // len(TWIN) + 2
"""Keys of twins that can show, however short they are."""
ROWS = 1 << 18
"""Rows that are searched at once for twins."""
GATHERED = 1 << 20
"""Rows found that are in memory before twins become one."""


class Group(NamedTuple):
    """Rows that are the same: their keys as words, which may be cut, and split, number and key of each."""

    words: str
    rows: list[tuple[str, int, str]]


def twins_in(manifest: str | Path, ids: str, count: int) -> Iterator[pl.DataFrame]:
    """Yield rows of a manifest of so many that have an id more than once, some at a time, by key; twins come together.

    `ids` is sample_id or input_id; the columns are that, split, key, and the number of the row in its split. Of an id
    that many rows of a split have, the first keys are enough.
    """
    for heads in repeated_heads(lambda: (batch[ids] for batch in _read(manifest, ids)), count):
        yield _with_ids(manifest, ids, heads)


def groups_of(rows: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Return the groups of rows that are the same by these columns, with lists of `splits`, `rows` and keys (`key`)."""
    return rows.group_by(by).agg("key", splits="split", rows="row").filter(pl.col("key").list.len() > 1)


def first_groups(groups: pl.DataFrame, number: int) -> list[Group]:
    """Return the first of such groups, by the words for them."""
    words = pl.col("key").list.join(TWIN).str.head(SHOWN + 1)
    first = groups.select(words.alias("words"), "splits", "rows", "key").sort("words").head(number)
    return [Group(words, [*zip(*those, strict=True)]) for words, *those in first.iter_rows()]


def same_rows(manifest: str | Path, count: int, number: int) -> list[Group]:
    """Return the first groups of rows of a manifest that are the same."""
    found: list[Group] = []
    for rows in twins_in(manifest, "sample_id", count):
        found = sorted([*found, *first_groups(groups_of(rows, "sample_id"), number)])[:number]
    return found


def _read(manifest: str | Path, *columns: str) -> Iterator[pyarrow.RecordBatch]:
    """Yield the rows of a manifest, ROWS at once."""
    with pyarrow.parquet.ParquetFile(manifest, pre_buffer=False) as file:
        yield from file.iter_batches(ROWS, columns=list(columns), use_threads=False)


def numbered_rows(manifest: str | Path, *columns: str) -> Iterator[pyarrow.RecordBatch]:
    """Yield the rows of a manifest, ROWS at once: these columns, `split` among them, and `row`, its number in that."""
    seen = dict[str, int]()
    for batch in _read(manifest, *columns):
        numbers = np.empty(batch.num_rows, np.int64)
        for split in pyarrow.compute.unique(batch["split"]).to_pylist():
            own = np.flatnonzero(pyarrow.compute.equal(batch["split"], split))
            numbers[own] = seen.get(split, 0) + np.arange(len(own))
            seen[split] = seen.get(split, 0) + len(own)
        yield batch.append_column("row", pyarrow.array(numbers))


def _with_ids(manifest: str | Path, ids: str, heads: np.ndarray) -> pl.DataFrame:
    found = []
    for batch in numbered_rows(manifest, ids, "split", "key"):
        found.append(pl.DataFrame(batch.filter(pyarrow.array(among(batch[ids], heads)))))
        if sum(rows.height for rows in found) > GATHERED:
            found = [pl.concat(found).sort("key").group_by(ids, "split").head(TWINS)]
    return pl.concat(found).sort("key")
