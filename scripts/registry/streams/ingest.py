"""Read the topics of a dataset into batches: `registry ingest`.

Each message ends up in one batch, whatever is killed in between, because the batches themselves say where to go on: the
name of one appears together with its messages, and the offset after it is where the next one begins.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from registry.config.load import load_datasets
from registry.errors import RegistryError
from registry.extras import check_installed
from registry.sources.batches import span
from registry.storage.repository import Repository, read_config
from registry.streams.broker import CHUNK, PATIENCE, PAUSE, Broker
from registry.streams.connection import connection
from registry.streams.decode import Decoder
from registry.streams.kept import QUARANTINE, Kept, Row
from registry.streams.lost import MadeAgainError, ends_too_early, lost_offsets
from registry.streams.pending import Pending
from registry.streams.poison import BEFORE, LOST, TOO_LARGE, PoisonError
from registry.streams.released import released_offsets
from registry.streams.settings import Stream, stream_of
from registry.streams.undisturbed import only_one, undisturbed
from registry.workflow import snakemake


@dataclass(frozen=True)
class Bounds:
    """When to stop, besides a signal: after so many messages or seconds, or at what is the end of the topics by now."""

    messages: int | None = None
    seconds: float | None = None
    until_end: bool = False


@dataclass
class Ingested:
    """What came of it: messages taken, messages left out by reason, batches, and the offsets after what was read.

    `ended` says why it stopped: `messages`, `time`, `end`, or `signal`.
    """

    dataset: str
    messages: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    offsets: dict[str, dict[str, int]] = field(default_factory=dict)
    ended: str = ""


def ingest(
    here: Repository,
    name: str,
    bounds: Bounds,
    *,
    accept_lost: bool = False,
    stopped: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
    patience: float = PATIENCE,
) -> Ingested:
    """Read the stream of a dataset into batches below data/<name>/raw until `bounds` or `stopped` say so.

    `accept_lost` goes on where the broker has lost messages that were not read; a batch counts them. Raises
    RegistryError; what was read before is kept.
    """
    check_installed("confluent_kafka")
    # Where a mirror lies does not matter here.
    datasets = load_datasets(read_config(here.root) | {"mirror": "anywhere"}, here.root)
    stream = stream_of(datasets, name)
    decoder, reached_by = Decoder(stream, here.root), connection()
    with only_one(here.root / "data" / name):
        kept = Kept(here.root / "data" / name, released_offsets(here, name))
        broker = Broker(reached_by, f"registry-{name}", patience)
        try:
            reading = _Reading(here, name, stream, kept, broker, decoder)
            return reading.run(bounds, stopped, accept_lost=accept_lost, say=say)
        finally:
            broker.close()


class _Reading:
    """One run: what was read and is not written yet, by topic and partition."""

    def __init__(
        self, here: Repository, name: str, stream: Stream, kept: Kept, broker: Broker, decoder: Decoder
    ) -> None:
        self._here = here
        self._stream, self._kept, self._broker, self._decoder = stream, kept, broker, decoder
        self._pending: dict[tuple[str, int], Pending] = {}
        self._ends: dict[tuple[str, int], int] = {}
        self._open: set[tuple[str, int]] = set()
        self._held = self._held_bytes = self._read = 0
        self._since: float | None = None
        self._accept_lost = False
        self._done = Ingested(name)

    def run(
        self, bounds: Bounds, stopped: Callable[[], bool], *, accept_lost: bool, say: Callable[[str], None]
    ) -> Ingested:
        """Read and write until it is time to stop."""
        self._accept_lost = accept_lost
        self._begin()
        deadline = None if bounds.seconds is None else time.monotonic() + bounds.seconds
        try:
            while not (ended := self._ended(bounds, stopped, deadline)):
                if self._is_due() and not self._write():
                    time.sleep(PAUSE)
                    continue
                most = CHUNK if bounds.messages is None else min(CHUNK, bounds.messages - self._read)
                for message in self._broker.take(most):
                    self._take(message, until_end=bounds.until_end)
                if self._is_due() and self._write():
                    say(f"{self._done.messages:,} messages in {self._done.batches:,} batches")
        except MadeAgainError:
            raise
        except RegistryError:
            self._finish(stopped, say)
            raise
        self._finish(stopped, say)
        self._done.ended = ended
        for (topic, partition), offset in sorted(self._kept.next.items()):
            self._done.offsets.setdefault(topic, {})[str(partition)] = offset
        return self._done

    def _begin(self) -> None:
        """Ask for every partition where the batches end. Raises RegistryError for messages that are lost.

        The last message that a batch has is asked for once more: it tells whether the topic is still the same.
        """
        starts, lost = {}, []
        for place in self._broker.partitions(self._stream.topics):
            begins, _ = self._broker.bounds(*place)
            first = self._kept.next.get(place, 0)
            pending = self._pending[place] = Pending(*place, first, first)
            if begins > first:
                known = place in self._kept.next
                pending.left_out[LOST if known else BEFORE], pending.reached = begins - first, begins
                if known:
                    lost.append(span(place, first, begins))
            last = self._kept.last.get(place)
            starts[place] = max(begins, last[0]) if last else pending.reached
        if lost and not self._accept_lost:
            raise lost_offsets(self._done.dataset, lost)
        self._open = {*starts}
        self._broker.assign(starts)

    def _ended(self, bounds: Bounds, stopped: Callable[[], bool], deadline: float | None) -> str:
        if stopped():
            return "signal"
        if bounds.until_end and not self._open:
            return "end"
        if bounds.messages is not None and self._read >= bounds.messages:
            return "messages"
        return "time" if deadline is not None and time.monotonic() >= deadline else ""

    def _take(self, message: Any, *, until_end: bool) -> None:
        """Take a message, or what came instead of one."""
        place = message.topic(), message.partition()
        if error := message.error():
            self._heed(error, place, message.offset())
            return
        pending, offset = self._pending[place], message.offset()
        self._compare(message, place)
        if until_end:
            end = self._ends.get(place)
            if end is None:
                end = self._ends[place] = self._broker.known_end(*place) or offset + 1
            if offset >= end - 1:
                self._open.discard(place)
            if offset >= end:
                pending.reached = max(pending.reached, end)
                return
        if offset < pending.reached:
            return
        self._read += 1
        self._keep(message, pending, offset)
        pending.reached = offset + 1

    def _compare(self, message: Any, place: tuple[str, int]) -> None:
        """Compare the first message of a partition with the last one that a batch has, unless compaction took that."""
        last = self._kept.last.pop(place, None)
        if last and message.offset() == last[0] and _row(message) != last:
            raise MadeAgainError(
                place, f"has another message at offset {last[0]:,} than the batches, which it is the last of"
            )

    def _keep(self, message: Any, pending: Pending, offset: int) -> None:
        """Keep a message, or do with it what is to be done with poison."""
        row = _row(message)
        *_, key, value = row
        size = len(key or b"") + len(value or b"")
        if self._since is None:
            self._since = time.monotonic()
        try:
            if size > self._stream.max_bytes:
                raise PoisonError(TOO_LARGE, f"{size:,} bytes, more than {self._stream.max_bytes:,}")
            if value is not None:
                pending.schemas |= self._decoder.check(value)
        except PoisonError as poison:
            if self._stream.poison == "fail":
                pending.reached = offset
                raise self._poisoned(poison, pending, offset) from None
            pending.left_out[poison.reason] += 1
            if self._stream.poison == QUARANTINE:
                pending.aside.append((*row, poison.detail))
                self._held_bytes += size
            self._held += 1
            return
        pending.add(row)
        self._held += 1
        self._held_bytes += size

    def _poisoned(self, poison: PoisonError, pending: Pending, offset: int) -> RegistryError:
        return RegistryError(
            f"message {offset:,} of partition {pending.partition} of {pending.topic} cannot be taken: {poison.detail}",
            where=f"data/{self._done.dataset}",
            hint="all before it is kept; to leave out such messages, and count them, set stream.poison to quarantine "
            f"in config/datasets/{self._done.dataset}.yaml (docs/streams.md)",
        )

    def _heed(self, error: Any, place: tuple[str, int], offset: int) -> None:
        """Heed what came instead of a message: a partition has no more, or no longer what was asked for, or failed."""
        pending = self._pending[place]
        if self._broker.is_end(error):
            if offset < pending.reached:
                raise ends_too_early(place, offset, pending.reached)
            # The broker itself may have the last offsets, for the ends of transactions; what came after the end that
            # was looked for is there, and was not taken.
            pending.reached = max(pending.reached, min(offset, self._ends.get(place, offset)))
            self._open.discard(place)
        elif self._broker.is_out_of_range(error):
            begins, ends = self._broker.bounds(*place)
            if begins <= pending.reached:
                raise ends_too_early(place, ends, pending.reached)
            if not self._accept_lost:
                raise lost_offsets(self._done.dataset, [span(place, pending.reached, begins)])
            pending.left_out[LOST] += begins - pending.reached
            pending.reached = begins
            self._broker.go_on(*place, begins)
        else:
            self._broker.check(error, place)

    def _is_due(self) -> bool:
        batch = self._stream.batch
        old = self._since is not None and time.monotonic() - self._since >= batch.seconds
        return old or self._held >= batch.messages or self._held_bytes >= batch.bytes

    def _write(self) -> bool:
        """Write a batch of each partition of which something was read, and tell the broker; False while others work."""
        with undisturbed(self._here) as alone:
            if not alone:
                return False
            written = {}
            for place, pending in self._pending.items():
                if pending:
                    self._kept.add(pending.batch, pending.messages(), pending.notes, pending.kept_aside())
                    self._done.messages += len(pending.offsets)
                    self._done.left_out += pending.left_out
                    self._done.batches += 1
                    written[place] = pending.reached
                    self._pending[place] = Pending(*place, pending.reached, pending.reached)
            self._kept.write_list()
        self._held = self._held_bytes = 0
        self._since = None
        if written:
            self._broker.commit(written)
        return True

    def _finish(self, stopped: Callable[[], bool], say: Callable[[str], None]) -> None:
        """Write what is left, once others have ended; who wants to stop does not wait, and reads it again another time.

        Raises RegistryError where they do not end in time.
        """
        if self._write():
            return
        what = "Snakemake or another registry command works here"
        after = (
            "what was read is not written, and is read again" if stopped() else "batches are written when it has ended"
        )
        say(f"{what}: {after}")
        deadline = time.monotonic() + snakemake.patience("REGISTRY_PATIENCE", snakemake.PATIENCE)
        while not stopped() and not self._write():
            if time.monotonic() > deadline:
                raise RegistryError(f"{what}, and did not end in time", hint="run the same command again afterwards")
            time.sleep(PAUSE)


def _row(message: Any) -> Row:
    """Return what a batch has of a message."""
    kind, timestamp = message.timestamp()
    return message.offset(), timestamp if kind else None, message.key(), message.value()
