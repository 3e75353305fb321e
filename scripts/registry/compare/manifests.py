"""Read manifests: the ids of samples by split, and the columns that they were made of."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import RegistryError
from registry.storage.snapshot import Snapshot

if TYPE_CHECKING:
    import polars as pl

FACTS = ("schema", "digests", "content_hash")
"""What a manifest's key-value metadata holds, each as registry.<name>."""


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

    def rows(self, identity: str, splits: Collection[str]) -> "pl.DataFrame":
        """Return the rows of some splits, in order, with the columns row (their index), split, id and key.

        `identity` names the column that stands for a sample: sample_id, input_id or key.
        """
        import polars as pl

        identifier = pl.col(identity)
        if identity != "key":
            identifier = identifier.bin.reinterpret(dtype=pl.UInt128)
        rows = pl.scan_parquet(self.path).filter(pl.col("split").is_in(list(splits)))
        return rows.select("split", identifier.alias("id"), "key").collect().with_row_index("row")


def manifest_of(snapshot: Snapshot) -> ManifestFile:
    """Open the manifest of a state, fetching it at need. RegistryError if its content is not that of the metadata."""
    manifest = read_manifest(snapshot.manifest())
    if manifest.content_hash != snapshot.content_hash:
        raise RegistryError(
            f"the manifest of {snapshot.dataset} is not that of its metadata.json: content_hash differs",
            where=f"{snapshot.name}: {manifest.path}",
            hint="build the dataset again, or restore it with: registry pull",
        )
    return manifest


def read_manifest(path: Path) -> ManifestFile:
    """Open a manifest, reading none of its rows. RegistryError if the file is not one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        stored = pq.read_metadata(path).metadata or {}
        schema, digests, content_hash = (stored[f"registry.{name}".encode()] for name in FACTS)
        schema = {column["name"]: column["type"] for column in json.loads(schema)}
        return ManifestFile(path, schema, json.loads(digests), content_hash.decode())
    except (pa.ArrowInvalid, KeyError, OSError, ValueError) as error:
        problem = f"{error} is missing" if isinstance(error, KeyError) else error
        raise RegistryError(
            f"cannot be read as a manifest: {problem}",
            where=path,
            hint="build the dataset again, or restore it with: registry pull",
        ) from None
