"""Talk to a broker of the Kafka protocol: which partitions there are, where they begin, and what is in them.

Where to go on is never asked of it: partitions are assigned, with offsets that the checkout knows. What it is told of
those, under the name of a group, is for people who watch how far behind a reader is.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

from registry.config.names import closest
from registry.errors import RegistryError
from registry.extras import needed
from registry.shown import shown
from registry.streams.connection import SERVERS, secrets
from registry.streams.released import Offsets

CHUNK = 5_000
"""Messages that are taken from librdkafka at once."""
PAUSE = 0.2
"""Seconds for which it is waited for them, and after which a signal is noticed."""
ANSWER = 20
"""Seconds that the broker may take to answer a question."""
AT_ONCE = 3
"""Seconds after which it is not asked again where no connection can be made: it is refused, or fails at once."""
PATIENCE = 300
"""Seconds without a broker after which reading is given up."""
QUEUE = {
    "queued.min.messages": 20_000,
    "queued.max.messages.kbytes": 16_384,
    "fetch.message.max.bytes": 4_194_304,
    "fetch.max.bytes": 16_777_216,
    "fetch.queue.backoff.ms": 20,
}
"""What librdkafka reads ahead at most, of all partitions together, and how soon it fetches more once that was taken."""
HINT = f"check {SERVERS}, and the other KAFKA_ variables (docs/streams.md)"
T = TypeVar("T")


class Broker:
    """A connection to the brokers that the environment names, for a reader that is called `group`."""

    def __init__(self, connection: Mapping[str, Any], group: str, patience: float = PATIENCE) -> None:
        self._kafka = needed("confluent_kafka")
        self._servers = connection["bootstrap.servers"]
        self._patience = patience
        self._since: float | None = None
        self._failing: dict[tuple[str, int], float] = {}
        self._reason = ""
        quiet = logging.getLogger("registry.streams.librdkafka")
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        settings = {
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "allow.auto.create.topics": False,
            "error_cb": self._failed,
        }
        try:
            self._consumer = self._kafka.Consumer(dict(connection) | settings | QUEUE, logger=quiet)
        except (self._kafka.KafkaException, ValueError) as error:
            raise self._error("these settings cannot be used", error) from None

    def _failed(self, error: Any) -> None:
        """Note what librdkafka says while it tries again by itself."""
        if error.code() == self._kafka.KafkaError._ALL_BROKERS_DOWN:
            self._since = self._since or time.monotonic()
        else:
            self._reason = error.str()

    def _error(self, what: str, error: object) -> RegistryError:
        reason = error.args[0] if isinstance(error, self._kafka.KafkaException) else error
        said = reason.str() if isinstance(reason, self._kafka.KafkaError) else str(reason)
        return RegistryError(shown(f"{what}: {said}", secrets()), where=shown(self._servers, secrets()), hint=HINT)

    def partitions(self, topics: Sequence[str]) -> list[tuple[str, int]]:
        """Return the partitions of topics. Raises RegistryError for a topic that is not there, or no broker."""
        known = self._topics()
        found = []
        for topic in topics:
            error = known[topic].error if topic in known else None
            if error and error.code() != self._kafka.KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise self._error(f"topic {topic} cannot be read", error)
            if error or topic not in known:
                meant = closest(topic, known)
                hint = f"did you mean {meant}? " if meant else ""
                raise RegistryError(
                    f"the broker has no topic {topic}", where=self._servers, hint=f"{hint}check stream.topics"
                )
            found += [(topic, partition) for partition in sorted(known[topic].partitions)]
        return found

    def _answer(self, ask: Callable[[float], T], what: str) -> T:
        """Return what the broker answers to a question, asked again while it cannot, as where leaders are elected.

        Raises RegistryError: soon where no broker can be reached, and says that it is asked `what` otherwise.
        """
        deadline, limit = time.monotonic() + ANSWER, float(AT_ONCE)
        while True:
            try:
                return ask(limit)
            except self._kafka.KafkaException as failed:
                self._consumer.poll(0)
                error, left = failed.args[0], deadline - time.monotonic()
                unreachable = error.code() < 0
                if left <= 0 or (unreachable and self._since is not None):
                    reason = self._reason if unreachable and self._reason else error
                    raise self._error("no broker answers" if unreachable else what, reason) from None
                time.sleep(PAUSE)
                limit = max(left, AT_ONCE)

    def _topics(self) -> Mapping[str, Any]:
        return self._answer(
            lambda limit: self._consumer.list_topics(timeout=limit).topics,
            "the broker does not say which topics it has",
        )

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the first offset that the broker still has of a partition, and the one after the last.

        Some brokers do not know the second.
        """
        place = self._kafka.TopicPartition(topic, partition)
        return self._answer(
            lambda limit: self._consumer.get_watermark_offsets(place, timeout=limit),
            f"the broker does not say where partition {partition} of {topic} begins",
        )

    def known_end(self, topic: str, partition: int) -> int | None:
        """Return where a partition ended when messages of it came last; some brokers say it rightly only then."""
        low, high = self._consumer.get_watermark_offsets(self._kafka.TopicPartition(topic, partition), cached=True)
        return high if high >= 0 else None

    def assign(self, offsets: Offsets) -> None:
        """Begin to read partitions, each from an offset."""
        self._consumer.assign(self._places(offsets))

    def go_on(self, topic: str, partition: int, offset: int) -> None:
        """Read a partition from another offset on, of which reading has failed."""
        place = self._kafka.TopicPartition(topic, partition, offset)
        self._consumer.incremental_unassign([place])
        self._consumer.incremental_assign([place])

    def commit(self, offsets: Offsets) -> None:
        """Tell the broker how far was read: a hint for those who watch, which may fail."""
        with suppress(self._kafka.KafkaException):
            self._consumer.commit(offsets=self._places(offsets), asynchronous=True)

    def _places(self, offsets: Offsets) -> list[Any]:
        return [self._kafka.TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]

    def take(self, most: int = CHUNK) -> Iterable[Any]:
        """Return messages, and ends of partitions, as far as there are some by now.

        Raises RegistryError where no broker was there for longer than `patience` seconds.
        """
        messages = self._consumer.consume(most, PAUSE)
        if messages:
            self._since = None
        elif self._since is not None and time.monotonic() - self._since > self._patience:
            self._topics()
            self._since = None
        if self._failing:
            for message in messages:
                if not message.error() or self.is_end(message.error()):
                    self._failing.pop((message.topic(), message.partition()), None)
        return messages

    def is_end(self, error: Any) -> bool:
        """Tell whether what came instead of a message says that a partition has no more."""
        return error.code() == self._kafka.KafkaError._PARTITION_EOF

    def is_out_of_range(self, error: Any) -> bool:
        """Tell whether it says that a partition does not have the offset that was asked for."""
        codes = self._kafka.KafkaError
        return error.code() in (codes._AUTO_OFFSET_RESET, codes.OFFSET_OUT_OF_RANGE, codes._LOG_TRUNCATION)

    def check(self, error: Any, place: tuple[str, int]) -> None:
        """Raise RegistryError for what came instead of a message of a partition, unless that may pass.

        librdkafka tries again by itself; it is not waited for longer than `patience` seconds.
        """
        since = self._failing.setdefault(place, time.monotonic())
        codes = self._kafka.KafkaError
        final = (
            codes.TOPIC_AUTHORIZATION_FAILED,
            codes.GROUP_AUTHORIZATION_FAILED,
            codes.UNKNOWN_TOPIC_OR_PART,
            codes._UNKNOWN_TOPIC,
            codes._UNKNOWN_PARTITION,
        )
        if error.fatal() or error.code() in final or time.monotonic() - since > self._patience:
            raise self._error(f"partition {place[1]} of {place[0]} cannot be read", error)

    def close(self) -> None:
        """Leave, and do not wait for long: a commit that no broker takes any more would keep librdkafka for minutes."""
        closing = Thread(target=self._consumer.close, daemon=True)
        closing.start()
        closing.join(AT_ONCE)
