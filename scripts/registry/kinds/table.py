"""Tables: files of rows in any common format, as Parquet with the columns of the contract, shared out among splits."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from registry.describe.canonical import canonical, row_digests
from registry.describe.layout import ID_BYTES
from registry.describe.manifest import row_keys
from registry.errors import RegistryError
from registry.files import atomic_file, output_folder, write_json
from registry.kinds.columns import Columns
from registry.kinds import keys as key_file
from registry.kinds.files import Format, arrow_type, batches
from registry.kinds.splitting import splitter

ROWS = 1 << 17
"""Rows in a row group."""
EXAMPLES = 3
"""Rows that an error names."""


class Rows(NamedTuple):
    """Some rows of a source file: their columns, what names each of them, and which split each is in."""

    samples: pl.DataFrame
    keys: pl.Series
    splits: pl.Series


def read(files: Mapping[str, Path], contract: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[Rows]:
    """Yield the rows of source files {name: path}, in their order, with the contract's columns.

    Raises RegistryError for what is in no way a row of this table: see `registry.kinds.files` and `columns`.
    """
    columns = Columns(contract, params.get("columns", {}))
    layout = Format(**params.get("format", {}), names=params.get("names", ()))
    split, key = params.get("split", {}), params.get("key")
    assign = splitter(split or None, inputs_of(contract, params))
    wanted = columns.wanted()
    # What splits rows need not be among the columns that are published.
    beside = [name for name in (split.get("column"), *split.get("by", ())) if name and name not in contract]
    for file, path in files.items():
        start = 0
        for batch in batches(path, layout, wanted | dict.fromkeys(beside, pl.String())):
            samples = columns.converted(batch, file, start)
            keys = samples[key].cast(pl.String) if key else pl.Series(row_keys(file, start, batch.height))
            yield Rows(samples, keys, assign(file, samples.with_columns(batch.select(beside))))
            start += batch.height


def inputs_of(contract: Mapping[str, Any], params: Mapping[str, Any]) -> list[str]:
    """Return the columns that say what a sample is about: all but the target, unless the params name them."""
    return params.get("inputs") or [name for name in contract if name != params.get("target")] or [*contract]


def repeated(rows: Iterator[Rows]) -> np.ndarray:
    """Return for each row whether one before it is the same in all columns; it takes some 40 bytes a row."""
    digests = [row_digests([canonical(column.to_arrow()) for column in its.samples], ID_BYTES) for its in rows]
    ids = np.frombuffer(b"".join(digests), f"S{ID_BYTES}")
    found = np.ones(len(ids), dtype=bool)
    found[np.unique(ids, return_index=True)[1]] = False
    return found


class _Table:
    """The Parquet file of one split: rows wait until they fill a row group, so that its bytes depend on the rows alone."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer, self._waiting, self.rows = writer, [], 0

    def add(self, samples: pl.DataFrame) -> None:
        self._waiting.append(samples)
        self.rows += samples.height
        while sum(one.height for one in self._waiting) >= ROWS:
            rows = pl.concat(self._waiting)
            self._write(rows.head(ROWS))
            self._waiting = [rows.slice(ROWS)]

    def end(self) -> None:
        if any(one.height for one in self._waiting):
            self._write(pl.concat(self._waiting))

    def _write(self, rows: pl.DataFrame) -> None:
        self._writer.write_table(rows.to_arrow().cast(self._writer.schema), row_group_size=ROWS)


def write_tables(rows: Iterable[Rows], places: Mapping[str, Path], keys: Path, schema: pa.Schema) -> dict[str, int]:
    """Write the rows of each split to its place, and of all rows which split and key they have to `keys`.

    Returns how many rows each split has.
    """
    with ExitStack() as stack:
        tables = {}
        for split, place in places.items():
            place.parent.mkdir(exist_ok=True)
            tables[split] = _Table(stack.enter_context(pq.ParquetWriter(place, schema, compression="zstd")))
        names = stack.enter_context(pq.ParquetWriter(stack.enter_context(atomic_file(keys)), key_file.SCHEMA, compression="zstd"))
        for its in rows:
            names.write_batch(pa.record_batch([its.splits.to_arrow(), its.keys.to_arrow()], names=key_file.SCHEMA.names).cast(key_file.SCHEMA))
            for split, table in tables.items():
                table.add(its.samples.filter(its.splits == split))
        for table in tables.values():
            table.end()
    return {split: table.rows for split, table in tables.items()}


def without(rows: Iterable[Rows], left_out: np.ndarray) -> Iterator[Rows]:
    """Yield the rows but those that are to be left out, as told for each row in their order."""
    start = 0
    for its in rows:
        kept = pl.Series(~left_out[start : start + its.samples.height])
        start += its.samples.height
        yield Rows(*(one.filter(kept) for one in its))


def ordered(rows: Iterable[Rows], by: Sequence[str]) -> Iterator[Rows]:
    """Yield the same rows, all in memory, in the order of these columns, and in their own where those are the same."""
    parts = [*rows]
    samples, keys, splits = (pl.concat(those) for those in zip(*parts, strict=True))
    order = samples.select(by).with_row_index("\0").sort(by, maintain_order=True).get_column("\0")
    yield Rows(samples[order], keys[order], splits[order])


def process(
    files: Mapping[str, Path],
    folder: Path,
    tables: Mapping[str, Path],
    keys: Path,
    cleaning: Path,
    *,
    contract: Mapping[str, Any],
    params: Mapping[str, Any],
) -> None:
    """Write the table of each split below `folder`, what names its rows to `keys`, and what was found to `cleaning`.

    `files` are the source files by their names, `tables` the paths of the tables by split. Raises RegistryError for
    rows that are there twice if that is to fail, and for a split that stays empty.
    """
    dataset, policy = folder.parent.name, params.get("duplicates", "keep")
    rows, twice = read(files, contract, params), np.zeros(0, bool)
    if policy != "keep":
        twice = repeated(read(files, contract, params))
    if policy == "fail" and twice.any():
        names = pl.concat([its.keys for its in rows]).filter(pl.Series(twice)).head(EXAMPLES).to_list()
        raise RegistryError(
            f"{int(twice.sum()):,} rows are the same as one before them: {', '.join(names)}",
            where=dataset,
            hint=f"fix the source, or set params.duplicates in config/datasets/{dataset}.yaml to drop or keep",
        )
    if policy == "drop":
        rows = without(rows, twice)
    if by := params.get("sort"):
        rows = ordered(rows, by)
    schema = pa.schema([(name, arrow_type(dtype)) for name, dtype in Columns(contract, {}).types.items()])
    with output_folder(folder) as partial:
        places = {split: partial / path.relative_to(folder) for split, path in tables.items()}
        written = write_tables(rows, places, keys, schema)
        if empty := [split for split, number in written.items() if not number]:
            hint = f"see params.split in config/datasets/{dataset}.yaml"
            raise RegistryError(f"no row is left for {', '.join(empty)}", where=dataset, hint=hint)
    counts = {"rows": sum(written.values()) + int(twice.sum()), "dropped": {"duplicates": int(twice.sum())}}
    write_json(cleaning, {"counts": counts})
