"""Number the rows of a dataset over all its versions, in few numbers, so that a page can hold any two side by side.

A row is a sample with its key and its split. Each one that any version has gets a number, in the order in which they
came; a version is the list of its rows. Most rows stay from version to version, so both are told in runs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from registry.compare.manifests import manifest_of
from registry.files import json_digest
from registry.storage.snapshot import MANIFEST, Snapshot

IDS = ("sample_id", "input_id")
SAME = [*IDS, "key", "split"]
"""What two rows agree in that are one."""
MAX_RUNS = 100_000
"""Runs of rows that a page takes of a dataset: about a megabyte."""

Run = tuple[int, int]
"""The first of some numbers that follow each other, and how many they are."""


class NumberedRows:
    """The rows that any version of a dataset has; `first` and `place` tell where each of them came first."""

    def __init__(self) -> None:
        self._known = pl.DataFrame(
            schema={**dict.fromkeys(IDS, pl.UInt128), "key": pl.String, "split": pl.String, "row": pl.UInt32}
        )
        self._numbers: dict[str, np.ndarray] = {}

    def add(self, snapshot: Snapshot) -> np.ndarray:
        """Return the numbers of a version's rows, in their order; those that no version before it has are new.

        A manifest that several versions have is read once. Raises RegistryError for one that is not sound.
        """
        about = [snapshot.outs[f"{snapshot.folder}/{MANIFEST}"], snapshot.content_hash, snapshot.metadata["splits"]]
        digest = json_digest(about)
        if digest not in self._numbers:
            self._numbers[digest] = self._of_rows(manifest_of(snapshot).path)
        return self._numbers[digest]

    def _of_rows(self, manifest: Path) -> np.ndarray:
        rows = pl.read_parquet(manifest, columns=SAME).with_columns(
            pl.col(name).bin.reinterpret(dtype=pl.UInt128) for name in IDS
        )
        found = self._known_numbers(rows)
        if found.null_count():
            new = rows.filter(found.is_null()).unique(maintain_order=True)
            start = len(self._known)
            numbers = pl.Series("row", np.arange(start, start + len(new), dtype=np.uint32))
            self._known = pl.concat([self._known, new.select(SAME).with_columns(numbers)])
            found = self._known_numbers(rows)
        return found.to_numpy()

    def _known_numbers(self, rows: pl.DataFrame) -> pl.Series:
        return rows.join(self._known, on=SAME, how="left", maintain_order="left")["row"]

    def __len__(self) -> int:
        return len(self._known)

    def keys(self, rows: Sequence[int]) -> list[str]:
        """Return the keys of rows by their numbers."""
        return self._known["key"].gather(list(rows)).to_list()

    def columns(self) -> dict[str, Any]:
        """Return of every row, in runs, which sample, input and key it has, by numbers, and its split by its name."""
        codes = {name: runs_of(_codes(self._known[column])) for name, column in _COLUMNS.items()}
        splits = self._known["split"].rle().struct.unnest()
        return codes | {"splits": [[value, length] for length, value in splits.iter_rows()]}


_COLUMNS = {"samples": "sample_id", "inputs": "input_id", "keys": "key"}


def _codes(values: pl.Series) -> np.ndarray:
    """Return a number for each value: the place at which it comes first."""
    frame = pl.DataFrame({"value": values, "place": np.arange(len(values), dtype=np.uint32)})
    return frame.select(pl.col("place").first().over("value"))["place"].to_numpy()


def runs_of(numbers: np.ndarray) -> list[Run]:
    """Return the runs of numbers that follow each other."""
    if not len(numbers):
        return []
    starts = np.concatenate([[0], np.flatnonzero(np.diff(numbers.astype(np.int64)) != 1) + 1])
    lengths = np.diff([*starts, len(numbers)])
    return [(int(numbers[start]), int(length)) for start, length in zip(starts, lengths, strict=True)]
