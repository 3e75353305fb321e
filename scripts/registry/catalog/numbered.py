"""Number the rows of a dataset over all its versions, in few numbers, so that a page can hold any two side by side.

A row is a sample with its key and its split. Each one that any version has gets a number, in the order in which they
came; a version is the list of its rows. Most rows stay from version to version, so both are told in runs.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from registry.compare.manifests import explained, manifest_of
from registry.files import json_digest
from registry.storage.snapshot import MANIFEST, Snapshot

SAME = ("sample_id", "input_id", "key", "split")
"""What two rows agree in that are one."""
MAX_RUNS = 100_000
"""Runs of rows that a page takes of a dataset: about a megabyte."""

Run = tuple[int, int]
"""The first of some numbers that follow each other, and how many they are."""


class Numbered(NamedTuple):
    """The numbers of a version's rows, in their order, and its columns.

    `schema` is [(name, dtype)]; `digests` is, of each split in the version's order, a number for each of these columns:
    two have the same one if, and only if, they have the same values in the same order.
    """

    rows: np.ndarray
    schema: list[tuple[str, str]]
    digests: list[tuple[str, list[int]]]


class NumberedRows:
    """The rows that any version of a dataset has; the number of each is its place among them.

    Of a value that is compared only a hash of 64 bits is held: of a million, two that differ are taken for one with a
    chance of one to thirty million.
    """

    def __init__(self) -> None:
        hashes = dict.fromkeys(("row", *SAME[:3]), pl.UInt64)
        self._known = pl.DataFrame(schema=hashes | {"name": pl.String, "split": pl.Categorical})
        self._numbers: dict[str, Numbered] = {}
        self._digests: dict[str, int] = {}

    def add(self, snapshot: Snapshot) -> Numbered:
        """Return the numbers of a version's rows; those that no version before it has are new.

        A manifest that several versions have is read once. Raises RegistryError for one that is not sound.
        """
        about = [snapshot.outs[f"{snapshot.folder}/{MANIFEST}"], snapshot.content_hash, snapshot.metadata["splits"]]
        digest = json_digest(about)
        if digest not in self._numbers:
            self._numbers[digest] = self._read(snapshot)
        return self._numbers[digest]

    def _read(self, snapshot: Snapshot) -> Numbered:
        hashes = [self._known.select("row", *SAME[:3]).clear()]
        manifest = manifest_of(snapshot, lambda batch: hashes.append(_hashes(batch)))
        rows = pl.concat(hashes)
        numbers, new = _found(self._known["row"].to_numpy(), rows["row"].to_numpy())
        if len(new):
            with explained(manifest.path):
                named = pl.read_parquet(manifest.path, columns=["key", "split"])[new]
            named = named.select(pl.col("key").alias("name"), pl.col("split").cast(pl.Categorical))
            self._known = pl.concat([self._known, rows[new].hstack(named)], rechunk=False)
        schema = [*manifest.schema.items()]
        digests = [
            (split, [self._digests.setdefault(its[name], len(self._digests)) for name, _ in schema])
            for split, its in manifest.digests.items()
        ]
        return Numbered(numbers, schema, digests)

    def __len__(self) -> int:
        return len(self._known)

    def keys(self, rows: Sequence[int]) -> list[str]:
        """Return the keys of rows by their numbers."""
        return self._known["name"].gather(list(rows)).to_list()

    def columns(self) -> dict[str, Any]:
        """Return of every row, in runs, which sample, input and key it has, by numbers, and its split by its name."""
        codes = {name: runs_of(_codes(self._known[column])) for name, column in _COLUMNS.items()}
        splits = self._known["split"].cast(pl.String).rle().struct.unnest()
        return codes | {"splits": [[value, length] for length, value in splits.iter_rows()]}


_COLUMNS = {"samples": "sample_id", "inputs": "input_id", "keys": "key"}


def _hashes(batch: pa.RecordBatch) -> pl.DataFrame:
    """Return the hashes of some rows of a manifest, and of what they are compared by."""
    hashes = pl.DataFrame(batch.select(SAME)).select(pl.all().hash())
    return hashes.select(hashes.hash_rows().alias("row"), *SAME[:3])


def _found(known: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of values among those that are known, new ones behind them, and the first place of each new."""
    _, first, each = np.unique(np.concatenate([known, wanted]), return_index=True, return_inverse=True)
    new = np.sort(first[first >= len(known)])
    numbers = np.arange(len(known) + len(wanted), dtype=np.uint32)
    numbers[new] = np.arange(len(known), len(known) + len(new))
    return numbers[first[each[len(known) :]]], new - len(known)


def _codes(values: pl.Series) -> np.ndarray:
    """Return a number for each value: the place at which it comes first."""
    _, first, each = np.unique(values.to_numpy(), return_index=True, return_inverse=True)
    return first[each]


def runs_of(numbers: np.ndarray) -> list[Run]:
    """Return the runs of numbers that follow each other."""
    if not len(numbers):
        return []
    starts = np.concatenate([[0], np.flatnonzero(np.diff(numbers.astype(np.int64)) != 1) + 1])
    lengths = np.diff([*starts, len(numbers)])
    return [(int(numbers[start]), int(length)) for start, length in zip(starts, lengths, strict=True)]
