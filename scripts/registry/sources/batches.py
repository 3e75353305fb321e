"""Messages of a stream as files: raw/<topic>/<partition>/<first>-<last>.parquet, each with the offsets that it covers.

A batch holds every message that was read from `first` to `last`, as it came. Offsets in between may have none: brokers
use some for themselves, compacted topics lose some, and what could not be read is kept aside, and counted in the batch.
So batches of a partition follow each other without a gap, whatever the broker left out.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from registry.errors import RegistryError
from registry.files import atomic_file
from registry.formats.parquet import read_table
from registry.sources.stream import batch_names

SCHEMA = pa.schema(
    [
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("timestamp", pa.timestamp("ms", tz="UTC")),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
    ]
)
"""What a batch has of each message, in the order of the offsets; `value` is the message's bytes as they were sent."""
NOTES = b"registry.batch"
"""Key of a file's metadata under which a batch's notes are, as JSON."""
TOPIC = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
"""What Kafka allows as the name of a topic."""
FILE = re.compile(r"([0-9]{20})-([0-9]{20})\.parquet")
PARTITION = re.compile(r"0|[1-9][0-9]{0,9}")
MAX_OFFSET, MAX_PARTITION = (1 << 63) - 1, (1 << 31) - 1
REASON = re.compile(r"[a-z_]{1,40}")
"""How the reasons are named for which messages are left out."""


@dataclass(frozen=True, order=True)
class Batch:
    """The messages of one partition of a topic from one offset to another, both among them."""

    topic: str
    partition: int
    first: int
    last: int

    @property
    def path(self) -> Path:
        """Its file below raw/; names sort as offsets do."""
        return Path(self.topic, str(self.partition), f"{self.first:020}-{self.last:020}.parquet")


@dataclass(frozen=True)
class Notes:
    """What a batch says of itself: what was left out of it, by reason, and the schemas of its writers, by id."""

    left_out: Mapping[str, int] = field(default_factory=dict)
    schemas: Mapping[str, Any] = field(default_factory=dict)


def write_batch(raw: Path, batch: Batch, messages: pa.Table, notes: Notes) -> Path:
    """Write a batch below raw/, whole or not at all, and return its file. The same messages give the same bytes."""
    if messages.schema.remove_metadata() != SCHEMA:
        raise ValueError(f"a batch has {SCHEMA}, not {messages.schema}")
    about = {"left_out": dict(notes.left_out), "schemas": dict(notes.schemas)}
    described = messages.replace_schema_metadata({NOTES: json.dumps(about, sort_keys=True)})
    with atomic_file(raw / batch.path) as partial:
        pq.write_table(described, partial, compression="zstd")
    return raw / batch.path


def read_batch(raw: Path, batch: Batch) -> tuple[pa.Table, Notes]:
    """Return the messages of a batch, as SCHEMA has them, and its notes. Raises RegistryError for what is no batch."""
    path = raw / batch.path
    messages = read_table(path, SCHEMA.names)
    try:
        notes = _notes(json.loads(pq.read_schema(path).metadata[NOTES]))
        messages = messages.cast(SCHEMA)
    except (KeyError, TypeError, ValueError, RecursionError, pa.ArrowException) as error:
        raise RegistryError(f"no batch of messages: {error}", where=path, hint=_HINT) from None
    offsets = messages["offset"].to_pylist()
    inside = not offsets or (batch.first <= offsets[0] and offsets[-1] <= batch.last)
    if not inside or any(here >= there for here, there in zip(offsets, offsets[1:], strict=False)):
        raise RegistryError("its messages are not those that its name says, in order", where=path, hint=_HINT)
    return messages, notes


def _notes(about: Any) -> Notes:
    """Return what a batch says of itself, without what only later versions know. Raises TypeError or ValueError."""
    left_out, schemas = about["left_out"], about["schemas"]
    if not isinstance(left_out, dict) or not isinstance(schemas, dict):
        raise TypeError("its notes are malformed")
    for reason, count in left_out.items():
        if not (REASON.fullmatch(reason) and type(count) is int and 0 <= count <= MAX_OFFSET):
            raise ValueError("its counts of messages that were left out are malformed")
    return Notes(left_out, schemas)


def count_messages(raw: Path, batch: Batch) -> int:
    """Return how many messages a batch has, from the end of its file. Raises RegistryError for what is no batch."""
    try:
        return pq.read_metadata(raw / batch.path).num_rows
    except pa.ArrowException as error:
        raise RegistryError(f"no batch of messages: {error}", where=raw / batch.path, hint=_HINT) from None


def find_batches(raw: Path) -> list[Batch]:
    """Return the batches below raw/, sorted by topic, partition and offset; other files there are none of them."""
    return sorted(filter(None, (_batch_at(Path(name)) for name in batch_names(raw))))


def _batch_at(path: Path) -> Batch | None:
    topic, partition, name = path.parts
    found = FILE.fullmatch(name)
    if found is None or TOPIC.fullmatch(topic) is None or PARTITION.fullmatch(partition) is None:
        return None
    batch = Batch(topic, int(partition), int(found[1]), int(found[2]))
    sound = batch.partition <= MAX_PARTITION and batch.first <= batch.last <= MAX_OFFSET
    return batch if sound else None


def span(place: tuple[str, int], first: int, end: int) -> str:
    """Return the words for the offsets of a partition from one up to another."""
    topic, partition = place
    return f"offsets {first:,} to {end - 1:,} of partition {partition} of {topic}"


def check_continuous(batches: Iterable[Batch]) -> None:
    """Check that sorted batches follow each other in each partition. Raises RegistryError that names the offsets."""
    for before, after in _neighbours(batches):
        if after.first != before.last + 1:
            what = "are missing" if after.first > before.last else "are there twice"
            raise RegistryError(
                f"{span((after.topic, after.partition), *sorted([before.last + 1, after.first]))} {what}",
                where=after.path,
                hint="bring the released batches back: registry pull --raw",
            )


def _neighbours(batches: Iterable[Batch]) -> Iterator[tuple[Batch, Batch]]:
    before: Batch | None = None
    for batch in batches:
        if before is not None and (before.topic, before.partition) == (batch.topic, batch.partition):
            yield before, batch
        before = batch


def next_offsets(batches: Iterable[Batch]) -> dict[tuple[str, int], int]:
    """Return {(topic, partition): the offset after the last that batches cover}."""
    return {(batch.topic, batch.partition): batch.last + 1 for batch in sorted(batches)}


_HINT = (
    "registry pull --raw brings it back if a release holds it; otherwise move it and those after it away, and run "
    "registry ingest, which reads them again"
)
