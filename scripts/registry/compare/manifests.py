"""Read manifests: the ids of samples by split, and the columns that they were made of."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.gate import GateError, read_json
from registry.storage.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

FACTS = ("schema", "digests", "content_hash")
"""What a manifest's key-value metadata holds, each as registry.<name>."""
TEXTS = ("key", "split")
"""Columns whose values may be of any length."""
ROWS = 1 << 18
"""Rows that are read at once, if their texts are short."""
MAX_PIECE = 1 << 26
"""Bytes that the texts of a column may have that are read at once."""
MAX_ROWS = 20_000_000
MAX_BYTES = 4 << 30
"""Bytes that a manifest may have when it is unpacked, and its texts when they are spelt out row by row."""


@dataclass(frozen=True)
class ManifestFile:
    """A manifest.parquet, and what its key-value metadata says: column types, digests by split and column."""

    path: Path
    schema: dict[str, str]
    digests: dict[str, dict[str, str]]
    content_hash: str

    def split_sizes(self) -> dict[str, int]:
        """Return {split: number of its rows}, in the dataset's order."""
        import polars as pl

        with explained(self.path):
            sizes = dict(pl.scan_parquet(self.path).group_by("split").len().collect().iter_rows())
        return {split: sizes.get(split, 0) for split in self.digests}

    def column(self, name: str, rows: range) -> Iterator[tuple[int, "pa.Array"]]:
        """Yield the values of a column in these rows, in order, some at a time, and which row the first of them is.

        At once there are at most ROWS, and so few that texts have no more than MAX_PIECE bytes.
        """
        for first, batch in _pieces(self.path, [name], rows):
            inside = range(max(first, rows.start), min(first + batch.num_rows, rows.stop))
            if inside:
                yield inside.start, batch.column(0).slice(inside.start - first, len(inside))


def rows_of_splits(sizes: Mapping[str, int]) -> dict[str, range]:
    """Return {split: which rows of a manifest with splits of these sizes are its own}."""
    ends = accumulate(sizes.values())
    return {split: range(end - size, end) for (split, size), end in zip(sizes.items(), ends, strict=True)}


def manifest_of(snapshot: Snapshot, see: Callable[["pa.RecordBatch"], None] = lambda batch: None) -> ManifestFile:
    """Open the manifest of a state, fetching it at need, and read it once to check it.

    `see` is called with all its rows on the way, some at a time: before it is known that they are sound.

    Raises GateError if its rows are not those of the content hash, or are not as many as metadata.json says;
    RegistryError if it cannot be had.
    """
    manifest = read_manifest(snapshot.manifest())
    if manifest.content_hash != snapshot.content_hash:
        raise _unlike(snapshot, manifest, "content_hash differs")
    with explained(manifest.path):
        sizes, content_hash = _content(manifest, see)
    if sizes != snapshot.sizes:
        raise _unlike(snapshot, manifest, "the number of rows differs")
    if content_hash != manifest.content_hash:
        raise _unlike(snapshot, manifest, "its rows are not those of its content_hash")
    return manifest


def _unlike(snapshot: Snapshot, manifest: ManifestFile, what: str) -> GateError:
    return GateError(
        f"the manifest of {snapshot.dataset} is not that of its metadata.json: {what}",
        where=f"{snapshot.name}: {manifest.path}",
        hint="build the dataset again, or restore it with: registry pull",
    )


def read_manifest(path: Path) -> ManifestFile:
    """Open a manifest, reading none of its rows. Raises GateError if the file is not one."""
    import pyarrow.parquet as pq

    with explained(path), pq.ParquetFile(path) as file:
        _check_layout(file)
        stored = file.metadata.metadata or {}
        schema, digests, content_hash = (stored[f"registry.{name}".encode()] for name in FACTS)
        schema = _types(read_json(schema, where="registry.schema"))
        digests = _digests(read_json(digests, where="registry.digests"), schema.keys())
        return ManifestFile(path, schema, digests, content_hash.decode())


def _unreadable() -> tuple[type[Exception], ...]:
    """Return the errors that files which are no manifests lead to, with those of Polars, if it is there."""
    import pyarrow as pa

    polars = [sys.modules["polars"].exceptions.PolarsError] if "polars" in sys.modules else []
    return GateError, pa.ArrowException, KeyError, OSError, ValueError, *polars


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a file that may be no manifest into one GateError."""
    try:
        yield
    except _unreadable() as error:
        problem = f"{error} is missing" if isinstance(error, KeyError) else str(error).partition("\n")[0]
        raise GateError(
            f"cannot be read as a manifest: {problem}",
            where=path,
            hint="build the dataset again, or restore it with: registry pull",
        ) from None


def _check_layout(file: "pq.ParquetFile") -> None:
    """Check columns and size as the file's footer says them. Raises GateError."""
    from registry.describe.layout import SCHEMA

    found, written = ([(column.name, str(column.type)) for column in schema] for schema in (file.schema_arrow, SCHEMA))
    if found != written:
        raise GateError(f"its columns are {found}"[:200])
    about = file.metadata
    unpacked = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
    if about.num_rows > MAX_ROWS or unpacked > MAX_BYTES:
        raise GateError(f"{about.num_rows:,} rows, {unpacked:,} bytes: more than {MAX_ROWS:,}, or {MAX_BYTES:,}")


def _types(value: Any) -> dict[str, str]:
    if not isinstance(value, list) or not all(_are_texts(column, {"name", "type"}) for column in value):
        raise GateError("registry.schema is not a list of names and types")
    return {column["name"]: column["type"] for column in value}


def _digests(value: Any, columns: Set[str]) -> dict[str, dict[str, str]]:
    if not isinstance(value, dict) or not all(_are_texts(digests, columns) for digests in value.values()):
        raise GateError("registry.digests is not a text for each column of each split")
    return value


def _are_texts(value: Any, keys: Set[str]) -> bool:
    return isinstance(value, dict) and value.keys() == keys and all(isinstance(text, str) for text in value.values())


def _content(manifest: ManifestFile, see: Callable[["pa.RecordBatch"], None]) -> tuple[dict[str, int], str]:
    """Return {split: its number of rows} and the content hash that the rows of a manifest make. Raises GateError."""
    import pyarrow.compute as pc

    from registry.describe.layout import ID_BYTES, ContentHash

    content = ContentHash([{"name": name, "type": dtype} for name, dtype in manifest.schema.items()])
    sizes: dict[str, int] = {}
    awaited, length = iter(manifest.digests), 0

    def begin(wanted: str | None) -> None:
        """Begin the splits up to this one, or all."""
        for split in awaited:
            content.begin(split)
            sizes[split] = 0
            if split == wanted:
                return
        if wanted is not None:
            raise GateError("its splits are not those that it names, one after the other")

    for batch in manifest_batches(manifest.path):
        # Of a text that is not Unicode, Arrow says nothing by itself, and Polars panics.
        batch.validate(full=True)
        columns = {name: batch[name] for name in batch.schema.names}
        if any(column.null_count for column in columns.values()):
            raise GateError("a value is missing")
        length += sum(pc.sum(pc.binary_length(columns[name])).as_py() or 0 for name in TEXTS)
        if length > MAX_BYTES:
            raise GateError(f"its texts have more than {MAX_BYTES:,} bytes")
        ids = _bytes_of(columns["sample_id"])
        for split, start, end in _runs(columns["split"]):
            if split != next(reversed(sizes), None):
                if sizes.get(split):
                    raise GateError(f"the rows of its split {split} lie apart")
                begin(split)
            content.add(ids[ID_BYTES * start : ID_BYTES * end])
            sizes[split] += end - start
        see(batch)
    begin(None)
    return sizes, str(content)


def manifest_batches(path: Path) -> Iterator["pa.RecordBatch"]:
    """Yield the rows of a manifest, in order, as many at once as `column` does."""
    from registry.describe.layout import SCHEMA

    for _, batch in _pieces(path, SCHEMA.names):
        yield batch


def _pieces(path: Path, columns: Sequence[str], rows: range | None = None) -> Iterator[tuple[int, "pa.RecordBatch"]]:
    """Yield which row the first of some rows is, and these columns of them: of all row groups, or those with `rows`."""
    import pyarrow.parquet as pq

    texts = [name for name in columns if name in TEXTS]
    with (
        pq.ParquetFile(path, pre_buffer=False) as file,
        pq.ParquetFile(path, metadata=file.metadata, read_dictionary=texts, pre_buffer=False) as encoded,
    ):
        end = 0
        for group in range(file.metadata.num_row_groups):
            first, end = end, end + file.metadata.row_group(group).num_rows
            if rows is None or (first < rows.stop and rows.start < end):
                at_once = _rows_at_once(encoded, group, texts)
                for batch in file.iter_batches(at_once, row_groups=[group], columns=list(columns), use_threads=False):
                    yield first, batch
                    first += batch.num_rows


def _rows_at_once(encoded: "pq.ParquetFile", group: int, texts: Sequence[str]) -> int:
    """Return how many rows of a row group may be read at once, so that no text column has more than MAX_PIECE bytes.

    A dictionary names a long text once, and rows repeat it: where one is read, all that it holds is there. Texts that
    are in none are taken for as long as they are on average, as the file's footer says.
    """
    import pyarrow.compute as pc

    about, limits = encoded.metadata.row_group(group), [ROWS]
    for column in map(about.column, range(about.num_columns)):
        if column.path_in_schema in texts:
            limits.append(MAX_PIECE * about.num_rows // max(1, column.total_uncompressed_size))
    if texts:
        for first in islice(encoded.iter_batches(1, row_groups=[group], columns=list(texts), use_threads=False), 1):
            limits += [MAX_PIECE // (pc.max(pc.binary_length(text.dictionary)).as_py() or 1) for text in first.columns]
    return max(1, min(limits))


def _bytes_of(ids: "pa.FixedSizeBinaryArray") -> memoryview:
    """Return the bytes of all ids, one after the other."""
    width = ids.type.byte_width
    return memoryview(ids.buffers()[1] or b"")[width * ids.offset :][: width * len(ids)]


def _runs(splits: "pa.StringArray") -> Iterator[tuple[str, int, int]]:
    """Yield, in order, the split of rows that follow each other, the first of them, and the row after the last."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded, start = pc.run_end_encode(splits, run_end_type=pa.int64()), 0
    for end, split in zip(encoded.run_ends.to_pylist(), encoded.values.to_pylist(), strict=True):
        yield split, start, end
        start = end
