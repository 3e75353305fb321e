"""Write the rows of a dataset as one Parquet table for each split, and what names them beside."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from registry.errors import RegistryError
from registry.files import atomic_file, output_folder, write_json
from registry.formats.tables import arrow_batches
from registry.kinds.rows import DUPLICATES, Cleaning, Rows, ordered, repeated, with_repeated

ROWS = 1 << 17
"""Rows in a row group, unless they are large."""
KEYS = pa.schema([("split", pa.string()), ("key", pa.string())])
"""The columns of the file that names rows on their way to the job that describes them, in the order they were made."""


def write_dataset(
    read: Callable[[], Iterable[Rows]],
    folder: Path,
    tables: Mapping[str, Path],
    keys: Path,
    cleaning: Path,
    *,
    schema: pa.Schema,
    policies: Mapping[str, str],
    sort: Sequence[str] = (),
    group: int = ROWS,
) -> None:
    """Write the rows that `read` yields, whenever it is called: each split's table, the keys, and what was found.

    `tables` are the paths of the tables, in `folder`, by split; `policies` say what becomes of rows with problems, of
    repeated ones among them; a row group has `group` rows. Raises RegistryError for problems that are to fail, and for
    a split that stays empty.
    """
    dataset, found = folder.parent.name, Cleaning(policies)
    rows: Iterable[Rows] = read()
    if policies[DUPLICATES] != "keep":
        rows = with_repeated(rows, repeated(read()))
    rows = found.clean(rows)
    with output_folder(folder) as partial:
        places = {split: partial / path.relative_to(folder) for split, path in tables.items()}
        written = write_tables(ordered(rows, sort) if sort else rows, places, keys, schema, group)
        found.check(dataset)
        if empty := [split for split, number in written.items() if not number]:
            hint = f"see params.split in config/datasets/{dataset}.yaml"
            raise RegistryError(f"no row is left for {', '.join(empty)}", where=dataset, hint=hint)
    write_json(cleaning, found.report())


class _Table:
    """The file of one split. Rows wait until they fill a row group, so that its bytes follow from the rows alone."""

    def __init__(self, writer: pq.ParquetWriter, group: int) -> None:
        self._writer, self._group, self._waiting = writer, group, []
        self.rows = 0

    def add(self, samples: pl.DataFrame) -> None:
        self._waiting.append(samples)
        self.rows += samples.height
        while sum(one.height for one in self._waiting) >= self._group:
            rows = pl.concat(self._waiting)
            self._write(rows.head(self._group))
            self._waiting = [rows.slice(self._group)]

    def end(self) -> None:
        if any(one.height for one in self._waiting):
            self._write(pl.concat(self._waiting))

    def _write(self, rows: pl.DataFrame) -> None:
        self._writer.write_table(rows.to_arrow().cast(self._writer.schema), row_group_size=self._group)


def write_tables(
    rows: Iterable[Rows], places: Mapping[str, Path], keys: Path, schema: pa.Schema, group: int
) -> dict[str, int]:
    """Write the rows of each split to its place, and of all rows which split and key they have to `keys`.

    Returns how many rows each split has.
    """
    with ExitStack() as stack:
        tables = {}
        for split, place in places.items():
            place.parent.mkdir(exist_ok=True)
            tables[split] = _Table(stack.enter_context(pq.ParquetWriter(place, schema, compression="zstd")), group)
        names = stack.enter_context(pq.ParquetWriter(stack.enter_context(atomic_file(keys)), KEYS, compression="zstd"))
        for its in rows:
            names.write_table(pl.DataFrame([its.splits.alias("split"), its.keys.alias("key")]).to_arrow().cast(KEYS))
            for split, table in tables.items():
                table.add(its.samples.filter(its.splits == split))
        for table in tables.values():
            table.end()
    return {split: table.rows for split, table in tables.items()}


class Keys:
    """The keys of the rows of a split, taken in the order of its table."""

    def __init__(self, file: Path, split: str) -> None:
        self._keys = self._read(file, split)

    @staticmethod
    def _read(file: Path, split: str) -> Iterator[str]:
        for batch in arrow_batches(file):
            yield from batch.filter(pc.equal(batch["split"], split))["key"].to_pylist()

    def take(self, count: int) -> list[str]:
        """Return the keys of the next rows."""
        return [*islice(self._keys, count)]


def process(snakemake: Any, read: Callable[[], Iterable[Rows]], schema: pa.Schema, policies: Mapping[str, str]) -> None:
    """Write the dataset of a rule `<dataset>_process`, as write_dataset does, with what its params say of it."""
    output, params = snakemake.output, snakemake.params
    write_dataset(
        read,
        Path(output.folder),
        dict(zip(params.splits, map(Path, output.tables), strict=True)),
        Path(output.row_keys),
        Path(output.cleaning),
        schema=schema,
        policies=policies | params.options.get("problems", {}),
        sort=params.options.get("sort", ()),
    )
