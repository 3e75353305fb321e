"""The manifest: one row per sample, from which versions, diffs, tracing and leak checks follow.

data/<dataset>/manifest.parquet has the columns
    sample_id  fixed_size_binary[16]  SHA-256, cut to 16 bytes, of the sample's canonical value in all columns
    input_id   fixed_size_binary[16]  the same over the columns that say what the sample is about
    key        string                 a declared key, else source file and position
    split      string
in the dataset's order, and in its key-value metadata
    registry.schema        JSON: [{"name", "type"}], logical types as registry.describe.logical names them
    registry.digests       JSON: {split: {column: SHA-256 over its canonical values in order}}
    registry.content_hash  SHA-256 over the schema and, split by split, the ordered sample ids
registry.describe.canonical says which bytes the canonical value of each type is.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from registry.describe.breaches import Cases
from registry.describe.canonical import canonical, data_of, row_digests
from registry.describe.contract import Contract
from registry.describe.layout import ID_BYTES, SCHEMA, ContentHash
from registry.describe.logical import logical_type
from registry.describe.profile import Examples
from registry.describe.referenced import Referenced
from registry.describe.repeated import among, repeated_heads
from registry.errors import RegistryError
from registry.files import atomic_file, dvc_digest

ROWS = 1 << 16
"""Rows whose values are spelt out at once."""
IDS = 1 << 20
"""Ids of samples in memory at once; those of larger datasets wait in a file beside the manifest."""


class Manifest:
    """Collects a dataset's samples, batch by batch and split by split, and hashes them on the way.

    `computed` maps columns to the model that computes them. `verdict` (the contract's) and `md5` (the file's, as DVC
    records it) are there once it is written.
    """

    def __init__(
        self,
        writer: pq.ParquetWriter,
        schema: pa.Schema,
        contract: Contract,
        computed: Mapping[str, str],
        ids: tuple[IO[bytes], IO[bytes]],
    ) -> None:
        self._writer = writer
        self._ids = ids
        self._counted: dict[tuple[int, int], int] = {}
        self._contract = contract
        self.computed = computed
        self.schema = [{"name": field.name, "type": logical_type(field.type)} for field in schema]
        self._content = ContentHash(self.schema)
        self._columns: dict[str, dict[str, hashlib._Hash]] = {}
        self.num_samples: dict[str, int] = {}
        self.verdict: dict[str, Any] = {"passed": False}
        self.md5: str | None = None

    def add(
        self, split: str, batch: pa.RecordBatch, *, inputs: Sequence[str], keys: Sequence[str] | pa.StringArray
    ) -> pa.FixedSizeBinaryArray:
        """Append the samples of a batch, in order, and return their ids. All batches of a split must follow each other.

        `inputs` names the columns that say what the samples are about; one that is not in the manifest's schema counts
        for `input_id` alone. `keys` names the samples.
        """
        names = [column["name"] for column in self.schema]
        if split not in self._columns:
            self._columns[split] = {name: hashlib.sha256() for name in names}
            self.num_samples[split] = 0
            self._content.begin(split)
        keys = pa.array(keys, pa.string())
        self._contract.check(split, batch.select(names), pl.Series(keys))
        parts = [self._identify(split, batch.slice(start, ROWS), inputs) for start in range(0, batch.num_rows, ROWS)]
        ids = [b"".join(those) for those in zip(*parts, strict=True)] or [b"", b""]
        self._content.add(ids[0])
        for file, those in zip(self._ids, ids, strict=True):
            file.seek(0, os.SEEK_END)
            file.write(those)
        self.num_samples[split] += batch.num_rows
        columns = [_as_array(those) for those in ids]
        split_column = pa.repeat(split, batch.num_rows)
        self._writer.write_batch(pa.record_batch([*columns, keys, split_column], schema=SCHEMA))
        return columns[0]

    def _identify(self, split: str, batch: pa.RecordBatch, inputs: Sequence[str]) -> tuple[bytes, bytes]:
        """Return the ids of samples, and those of their inputs, and hash each column's values on the way."""
        names = self._columns[split].keys()
        values = {name: self._canonical(batch, name) for name in dict.fromkeys([*names, *inputs])}
        for name, digest in self._columns[split].items():
            digest.update(data_of(values[name]))
        digests = {those: row_digests([values[name] for name in those], ID_BYTES) for those in {(*names,), (*inputs,)}}
        return digests[(*names,)], digests[(*inputs,)]

    def _canonical(self, batch: pa.RecordBatch, name: str) -> pa.LargeBinaryArray:
        by = self.computed.get(name)
        return canonical(batch.column(name) if by is None else pa.repeat(by, batch.num_rows))

    def duplicates(self) -> int:
        """Return how many of the samples so far are the same as one before them."""
        return self._repeated(0)

    def repeated_inputs(self) -> int:
        """Return how many of the samples so far have the same input as one before them."""
        return self._repeated(1)

    def _repeated(self, which: int) -> int:
        file, count = self._ids[which], sum(self.num_samples.values())
        if (which, count) not in self._counted:
            found = 0
            for heads in repeated_heads(lambda: _ids_in(file), count):
                rows, once = 0, _as_array(b"")
                for ids in _ids_in(file):
                    twins = ids.filter(pa.array(among(ids, heads)))
                    rows += len(twins)
                    once = pc.unique(pa.concat_arrays([once, twins]))
                found += rows - len(once)
            self._counted[which, count] = found
        return self._counted[which, count]

    def check_samples(self) -> None:
        """Raise RegistryError if the samples so far break the contract, as it does if all splits have none."""
        if self.num_samples and not any(self.num_samples.values()):
            self._contract.note_no_rows()
        self._contract.conclude()

    def check_figures(self, metadata: dict[str, Any], examples: Examples, cases: Cases | None = None) -> None:
        """Hold the numbers of a metadata.json to the contract.

        `examples` are rows that show what is odd about them, `cases` rows that are alike.
        """
        self._contract.check_floors(metadata)
        self._contract.check_quality(metadata, examples)
        self._contract.check_leakage(metadata, cases or {})

    @property
    def warnings(self) -> list[str]:
        """What the contract warns of so far, a line each."""
        return self._contract.warnings

    @property
    def content_hash(self) -> str:
        """Return `sha256:<hex>` over the schema and the ordered ids seen so far."""
        return str(self._content)

    @property
    def digests(self) -> dict[str, dict[str, str]]:
        """Return the SHA-256 of each column's values, by split."""
        return {split: {name: h.hexdigest() for name, h in columns.items()} for split, columns in self._columns.items()}


@contextmanager
def write_manifest(
    path: str | Path,
    dataset: dict[str, Any],
    schema: pa.Schema,
    computed: Mapping[str, str] | None = None,
    referenced: Referenced | None = None,
) -> Iterator[Manifest]:
    """Open a manifest at `path` for samples of this schema; it appears there if the block and the contract end well.

    Every sample added is checked against the contract in `dataset`, the dataset's configuration; at the end of the
    block one RegistryError lists all breaches. Two columns of one name are one, too.

    `computed` maps columns that a model computes from the others to what identifies that model: they count as that,
    since the last bits of their floats differ between machines. `referenced` are the values to which the contract
    refers.
    """
    if twice := [name for name, count in Counter(schema.names).items() if count > 1]:
        raise RegistryError(f"more than one column is called {', '.join(twice)}", where=dataset["name"])
    contract = Contract(dataset, referenced)
    with atomic_file(path) as partial, ExitStack() as stack:
        ids = tuple(stack.enter_context(SpooledTemporaryFile(IDS * ID_BYTES, dir=partial.parent)) for _ in range(2))
        with pq.ParquetWriter(partial, SCHEMA, compression="zstd") as writer:
            manifest = Manifest(writer, schema, contract, computed or {}, ids)
            yield manifest
            writer.add_key_value_metadata(
                {
                    "registry.schema": json.dumps(manifest.schema),
                    "registry.digests": json.dumps(manifest.digests),
                    "registry.content_hash": manifest.content_hash,
                }
            )
        contract.check_splits(manifest.num_samples, partial)
        manifest.verdict = contract.conclude()
        manifest.md5 = dvc_digest(partial)


def row_keys(file: str, start: int, count: int) -> list[str]:
    """Name samples by their source file and 0-based position in it, as `file:position`."""
    return [f"{file}:{position}" for position in range(start, start + count)]


def _ids_in(file: IO[bytes]) -> Iterator[pa.FixedSizeBinaryArray]:
    file.seek(0)
    while ids := file.read(IDS * ID_BYTES):
        yield _as_array(ids)


def _as_array(ids: bytes) -> pa.FixedSizeBinaryArray:
    """Return the ids that these bytes are, one after the other."""
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(ID_BYTES), len(ids) // ID_BYTES, [None, pa.py_buffer(ids)])
