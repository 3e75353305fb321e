"""Write the rows of a dataset as one Parquet table for each split, and what names them beside."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from registry.errors import RegistryError
from registry.files import atomic_file, output_folder, write_json
from registry.formats.tables import arrow_batches
from registry.kinds.columns import arrow_schema
from registry.kinds.keys import check_keys
from registry.kinds.rows import Cleaning, Rows, ordered
from registry.sources.in_place import source_path

ROWS = 1 << 17
"""Rows in a row group, unless they are large."""
GROUP_BYTES = 64 << 20
"""Bytes of texts and pictures in a row group; a row that has more is in one of its own."""
KEYS = pa.schema([("split", pa.string()), ("key", pa.string())])
"""The columns of the file that names rows on their way to the job that describes them, in the order they were made."""
Read = Callable[[Mapping[str, Path], Mapping[str, Any], Mapping[str, Any]], Iterable[Rows]]
"""Return the rows of source files {name: path}, with a contract's columns, as the params of a dataset say."""
Store = Callable[[Path, pl.DataFrame], pl.DataFrame]
"""Write a part of some rows into a folder, and return what their table has of them."""


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
    store: Store | None = None,
    by_place: Callable[[], Iterable[Rows]] | None = None,
) -> None:
    """Write the rows that `read` yields, whenever it is called: each split's table, the keys, and what was found.

    `tables` are the paths of the tables, in `folder`, by split; `policies` say what becomes of rows with problems, of
    repeated ones among them; a row group has `group` rows at most. `store` is what keeps a part of the rows in files
    beside their table. Where a column names the rows, `by_place` yields the same ones, named by their places. Raises
    RegistryError for problems that are to fail, for a split that stays empty, and for two rows of one name.
    """
    dataset, found = folder.parent.name, Cleaning(policies)
    rows = found.cleaned(read)
    with output_folder(folder) as partial:
        places = {split: partial / path.relative_to(folder) for split, path in tables.items()}
        written = write_tables(ordered(rows, sort) if sort else rows, places, keys, schema, group, store)
        found.check(dataset)
        if empty := [split for split, number in written.items() if not number]:
            hint = f"see params.split in config/datasets/{dataset}.yaml"
            raise RegistryError(f"no row is left for {', '.join(empty)}", where=dataset, hint=hint)
        if by_place:
            check_keys(
                lambda: (pl.Series(batch["key"]) for batch in arrow_batches(keys)),
                lambda: Cleaning(policies).cleaned(read),
                lambda: Cleaning(policies).cleaned(by_place),
                dataset,
            )
    write_json(cleaning, found.report())


class _Table:
    """The file of one split. Rows wait until they fill a row group, so that its bytes follow from the rows alone."""

    def __init__(self, writer: pq.ParquetWriter, group: int) -> None:
        self._writer, self._group, self._waiting = writer, group, []
        self.rows, self._bytes = 0, 0

    def add(self, samples: pl.DataFrame) -> None:
        self.rows += samples.height
        sizes = _sizes(samples)
        while samples.height:
            room = self._group - sum(one.height for one in self._waiting)
            fitting = int(np.searchsorted(np.cumsum(sizes), GROUP_BYTES - self._bytes, side="right"))
            taken = min(room, fitting) or (0 if self._waiting else 1)
            if taken:
                self._waiting.append(samples.head(taken))
                self._bytes += int(sizes[:taken].sum())
                samples, sizes = samples.slice(taken), sizes[taken:]
            if samples.height or taken == room:
                self.end()

    def end(self) -> None:
        if self._waiting:
            self._write(pl.concat(self._waiting, rechunk=True))
            self._waiting, self._bytes = [], 0

    def _write(self, rows: pl.DataFrame) -> None:
        self._writer.write_table(rows.to_arrow().cast(self._writer.schema), row_group_size=self._group)


def _sizes(samples: pl.DataFrame) -> np.ndarray:
    """Return how many bytes the texts and the binary values of each row have, at any depth."""
    return sum(map(_bytes_of, samples), np.zeros(samples.height, np.int64))


def _bytes_of(column: pl.Series) -> np.ndarray:
    # Under another name, since polars takes one such as `^...$` for a pattern.
    column, sizes = column.alias("column"), np.zeros(len(column), np.int64)
    match column.dtype:
        case pl.String:
            sizes += column.str.len_bytes().fill_null(0).to_numpy()
        case pl.Binary:
            sizes += column.bin.size().fill_null(0).to_numpy()
        case pl.Struct():
            for field in column.struct.unnest():
                sizes += _bytes_of(field)
        case pl.List():
            lengths = column.list.len().fill_null(0)
            values = column.filter(lengths > 0).explode()
            np.add.at(sizes, np.repeat(np.arange(len(column)), lengths.to_numpy()), _bytes_of(values))
    return sizes


def write_tables(
    rows: Iterable[Rows],
    places: Mapping[str, Path],
    keys: Path,
    schema: pa.Schema,
    group: int,
    store: Store | None = None,
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
                samples = its.samples.filter(its.splits == split)
                table.add(store(places[split].parent, samples) if store else samples)
        for table in tables.values():
            table.end()
    return {split: table.rows for split, table in tables.items()}


def row_groups(table: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a table that `write_dataset` wrote, one row group at a time."""
    with pq.ParquetFile(table, pre_buffer=False) as file:
        for number in range(file.num_row_groups):
            yield from file.iter_batches(ROWS, row_groups=[number], use_threads=False)


class Keys:
    """The keys of the rows of a split, taken in the order of its table."""

    def __init__(self, file: Path, split: str) -> None:
        self._batches = (batch.filter(pc.equal(batch["split"], split))["key"] for batch in arrow_batches(file))
        self._waiting = pa.array([], pa.string())

    def take(self, count: int) -> pa.StringArray:
        """Return the keys of the next rows."""
        while len(self._waiting) < count and (more := next(self._batches, None)) is not None:
            self._waiting = pa.concat_arrays([self._waiting, more])
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken


def sources_of(snakemake: Any) -> dict[str, Path]:
    """Return {name: where it is} of the source files and folders that a rule `<dataset>_process` reads."""
    return dict(zip(snakemake.params.files, map(source_path, snakemake.input.files), strict=True))


def process(
    snakemake: Any,
    read: Read,
    policies: Mapping[str, str],
    *,
    schema: pa.Schema | None = None,
    store: Store | None = None,
) -> None:
    """Write the dataset of a rule `<dataset>_process`, as write_dataset does, with what its params say of it.

    The schema is the contract's, unless another one is given.
    """
    output, params, files = snakemake.output, snakemake.params, sources_of(snakemake)
    unnamed = {name: value for name, value in params.options.items() if name != "key"}
    write_dataset(
        lambda: read(files, params.columns, params.options),
        Path(output.folder),
        dict(zip(params.splits, map(Path, output.tables), strict=True)),
        Path(output.row_keys),
        Path(output.cleaning),
        schema=schema or arrow_schema(params.columns),
        policies=policies | params.options.get("problems", {}),
        sort=params.options.get("sort", ()),
        store=store,
        by_place=(lambda: read(files, params.columns, unnamed)) if "key" in params.options else None,
    )
