"""Read manifests: the ids of samples by split, and the columns that they were made of."""

from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.gate import GateError, read_json
from registry.storage.snapshot import Snapshot

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

FACTS = ("schema", "digests", "content_hash")
"""What a manifest's key-value metadata holds, each as registry.<name>."""
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

        sizes = dict(pl.scan_parquet(self.path).group_by("split").len().collect().iter_rows())
        return {split: sizes.get(split, 0) for split in self.digests}

    def rows(self, identity: str, start: int, stop: int) -> "pl.DataFrame":
        """Return the rows from one to before another, with the columns row (their index), split, id and key.

        `identity` names the column that stands for a sample: sample_id, input_id or key.
        """
        import polars as pl

        identifier = pl.col(identity)
        if identity != "key":
            identifier = identifier.bin.reinterpret(dtype=pl.UInt128)
        rows = pl.scan_parquet(self.path).slice(start, stop - start)
        return rows.select("split", identifier.alias("id"), "key").collect().with_row_index("row", start)


def rows_of_split(sizes: Mapping[str, int], split: str) -> range:
    """Return which rows of a manifest with splits of these sizes are those of one."""
    start = sum(size for _, size in takewhile(lambda one: one[0] != split, sizes.items()))
    return range(start, start + sizes.get(split, 0))


def manifest_of(snapshot: Snapshot) -> ManifestFile:
    """Open the manifest of a state, fetching it at need, and read it once to check it.

    Raises GateError if its rows are not those of the content hash, or are not as many as metadata.json says;
    RegistryError if it cannot be had.
    """
    manifest = read_manifest(snapshot.manifest())
    if manifest.content_hash != snapshot.content_hash:
        raise _unlike(snapshot, manifest, "content_hash differs")
    with _explained(manifest.path):
        sizes, content_hash = _content(manifest)
    if sizes != {split: about["num_samples"] for split, about in snapshot.metadata["splits"].items()}:
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

    with _explained(path), pq.ParquetFile(path) as file:
        _check_layout(file)
        stored = file.metadata.metadata or {}
        schema, digests, content_hash = (stored[f"registry.{name}".encode()] for name in FACTS)
        schema = _types(read_json(schema, where="registry.schema"))
        digests = _digests(read_json(digests, where="registry.digests"), schema.keys())
        return ManifestFile(path, schema, digests, content_hash.decode())


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a file that may be no manifest into one GateError."""
    import pyarrow as pa

    try:
        yield
    except (GateError, pa.ArrowException, KeyError, OSError, ValueError) as error:
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


def _content(manifest: ManifestFile) -> tuple[dict[str, int], str]:
    """Return {split: its number of rows} and the content hash that the rows of a manifest make. Raises GateError."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

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

    with pq.ParquetFile(manifest.path, read_dictionary=["key", "split"], pre_buffer=False) as file:
        for number in range(file.metadata.num_row_groups):
            group = file.read_row_group(number, use_threads=False)
            columns = {name: group[name].combine_chunks() for name in group.column_names}
            if any(column.null_count for column in columns.values()):
                raise GateError("a value is missing")
            texts = columns["key"], columns["split"]
            length += sum(pc.sum(pc.binary_length(one.dictionary).take(one.indices)).as_py() or 0 for one in texts)
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
    begin(None)
    return sizes, str(content)


def _bytes_of(ids: "pa.FixedSizeBinaryArray") -> memoryview:
    """Return the bytes of all ids, one after the other."""
    width = ids.type.byte_width
    return memoryview(ids.buffers()[1] or b"")[width * ids.offset :][: width * len(ids)]


def _runs(splits: "pa.DictionaryArray") -> Iterator[tuple[str, int, int]]:
    """Yield, in order, the split of rows that follow each other, the first of them, and the row after the last."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded, names, start = pc.run_end_encode(splits.indices, run_end_type=pa.int64()), splits.dictionary.to_pylist(), 0
    for end, index in zip(encoded.run_ends.to_pylist(), encoded.values.to_pylist(), strict=True):
        yield names[index], start, end
        start = end
