"""What a checkout has of a stream: batches in raw/, the list of them in raw/sources.json, and what was kept aside.

A batch counts as soon as it has its name. The list follows it, and is put right after a kill in between; what was kept
aside comes before it, and goes if the batch never came, and its messages were read again.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from registry.errors import RegistryError
from registry.files import PARTIAL, atomic_file, remove, write_json
from registry.sources.batches import (
    SCHEMA,
    Batch,
    Notes,
    check_continuous,
    find_batches,
    next_offsets,
    read_batch,
    span,
    write_batch,
)
from registry.sources.stream import INDEX, MODE, entry_of
from registry.streams.poison import BEFORE, LOST
from registry.streams.released import Offsets

QUARANTINE = "quarantine"
"""Folder beside raw/ that has the messages that were kept aside."""
Row = tuple[int, int | None, bytes | None, bytes | None]
"""Offset, timestamp, key and value of a message."""
ASIDE = SCHEMA.append(pa.field("reason", pa.string(), nullable=False))
"""What is kept of such a message: all of it, and what is wrong with it."""


class Kept:
    """The batches of a dataset in its `folder`, those that are released elsewhere left out of account."""

    def __init__(self, folder: Path, released: Offsets) -> None:
        """Take stock. Raises RegistryError for a gap, and for data that is of no stream."""
        self.raw, self.aside = folder / "raw", folder / QUARANTINE
        self._read_list()
        batches = find_batches(self.raw)
        _check(batches, released)
        self.next = released | {
            place: max(offset, released.get(place, 0)) for place, offset in next_offsets(batches).items()
        }
        self.last = self._last_rows(batches)
        """The last message of each partition, where a batch that is here has it."""
        self._new: dict[str, dict[str, Any]] = {}
        self._orphans = [
            one for one in find_batches(self.aside) if one.first >= self.next.get((one.topic, one.partition), 0)
        ]

    def add(self, batch: Batch, messages: pa.Table, notes: Notes, aside: pa.Table | None = None) -> None:
        """Keep a batch, and the messages that were kept aside from it."""
        if aside is not None:
            with atomic_file(self.aside / batch.path) as partial:
                pq.write_table(aside, partial, compression="zstd")
        write_batch(self.raw, batch, messages, notes)
        self.next[batch.topic, batch.partition] = batch.last + 1
        self._new[batch.path.as_posix()] = entry_of(self.raw, batch.path.as_posix())
        if not {LOST, BEFORE} & notes.left_out.keys():
            self._remove_orphans(batch)

    def _remove_orphans(self, batch: Batch) -> None:
        """Remove what was kept aside from a batch that never came, now that all of it was read again."""
        for orphan in [one for one in self._orphans if one != batch and _is_within(one, batch)]:
            (self.aside / orphan.path).unlink(missing_ok=True)
            self._orphans.remove(orphan)

    def write_list(self) -> None:
        """List the batches that are here: those that were added, and what a killed command, or a pull, has brought."""
        for folder in (self.raw, self.aside):
            for left in folder.glob(f"*/*/.*{PARTIAL}"):
                remove(left)
        listed = self._read_list()
        known = listed | self._new
        entries = {name: known.get(name) or self._entry(batch) for name, batch in _named(find_batches(self.raw))}
        if entries != listed:
            files = [entry for _, entry in sorted(entries.items())]
            write_json(self.raw / INDEX, {"mode": MODE, "files": files})
        self._new = {}

    def _last_rows(self, batches: list[Batch]) -> dict[tuple[str, int], Row]:
        found = {}
        for place, batch in {(batch.topic, batch.partition): batch for batch in batches}.items():
            if self.next[place] == batch.last + 1:
                messages, _ = read_batch(self.raw, batch)
                if messages.num_rows:
                    last = messages.slice(messages.num_rows - 1)
                    sent = last["timestamp"].cast("int64")
                    columns = (last["offset"], sent, last["key"], last["value"])
                    found[place] = tuple(column[0].as_py() for column in columns)
        return found

    def _entry(self, batch: Batch) -> dict[str, Any]:
        """Return the entry of a batch that is not listed: it is read first, since nobody knows what it went through."""
        read_batch(self.raw, batch)
        return entry_of(self.raw, batch.path.as_posix())

    def _read_list(self) -> dict[str, dict[str, Any]]:
        path = self.raw / INDEX
        if not path.is_file():
            return {}
        try:
            source = json.loads(path.read_text(encoding="utf-8"))
            mode, listed = source["mode"], {entry["file"]: entry for entry in source["files"]}
        except (ValueError, KeyError, TypeError, RecursionError):
            return {}
        if mode != MODE:
            raise RegistryError(
                f"holds data of the source mode {mode}, and no messages of a broker",
                where=self.raw,
                hint=f"if nothing else needs it, rm -r {self.raw}, and run registry ingest again",
            )
        return listed


def _is_within(one: Batch, other: Batch) -> bool:
    same = (one.topic, one.partition) == (other.topic, other.partition)
    return same and other.first <= one.first and one.last <= other.last


def _named(batches: list[Batch]) -> Iterator[tuple[str, Batch]]:
    return ((batch.path.as_posix(), batch) for batch in batches)


def _check(batches: list[Batch], released: Offsets) -> None:
    """Check that batches follow each other from where a release ends; what it holds may be elsewhere."""
    later = [batch for batch in batches if batch.last >= released.get((batch.topic, batch.partition), 0)]
    check_continuous(later)
    for (topic, partition), end in released.items():
        first = next((batch for batch in later if (batch.topic, batch.partition) == (topic, partition)), None)
        if first is not None and first.first > end:
            raise RegistryError(
                f"{span((topic, partition), end, first.first)} are missing",
                where=first.path,
                hint=f"nobody has them: move {first.path} and those after it away, and run registry ingest",
            )
