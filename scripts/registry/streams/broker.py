"""Talk to a broker of the Kafka protocol: which partitions there are, where they begin, and what is in them.

Where to go on is never asked of it: partitions are assigned, with offsets that the checkout knows. What it is told of
those, under the name of a group, is for people who watch how far behind a reader is.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

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
}
"""Bounds of what librdkafka reads ahead, of all partitions together: it fetches no more until that was taken."""
HINT = f"check {SERVERS}, and the other KAFKA_ variables (docs/streams.md)"


class Broker:
    """A connection to the brokers that the environment names, for a reader that is called `group`."""

    def __init__(self, connection: Mapping[str, Any], group: str, patience: float = PATIENCE) -> None:
        self._kafka = needed("confluent_kafka")
        self._servers = connection["bootstrap.servers"]
        self._patience = patience
        self._since: float | None = None
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
            if topic not in known or known[topic].error or not known[topic].partitions:
                meant = closest(topic, known)
                hint = f"did you mean {meant}? " if meant else ""
                raise RegistryError(
                    f"the broker has no topic {topic}", where=self._servers, hint=f"{hint}check stream.topics"
                )
            found += [(topic, partition) for partition in sorted(known[topic].partitions)]
        return found

    def _topics(self) -> Mapping[str, Any]:
        """Return what the brokers say of their topics, and do not wait for long where none can be reached."""
        try:
            return self._consumer.list_topics(timeout=AT_ONCE).topics
        except self._kafka.KafkaException:
            self._consumer.poll(0)
        try:
            return self._consumer.list_topics(timeout=0.1 if self._since else ANSWER - AT_ONCE).topics
        except self._kafka.KafkaException as error:
            self._consumer.poll(0)
            raise self._error("no broker answers", self._reason or error) from None

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the first offset that the broker still has of a partition, and the one after the last.

        Some brokers do not know the second.
        """
        place = self._kafka.TopicPartition(topic, partition)
        try:
            return self._consumer.get_watermark_offsets(place, timeout=ANSWER)
        except self._kafka.KafkaException as error:
            raise self._error(f"the broker does not say where partition {partition} of {topic} begins", error) from None

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
        return messages

    def is_end(self, error: Any) -> bool:
        """Tell whether what came instead of a message says that a partition has no more."""
        return error.code() == self._kafka.KafkaError._PARTITION_EOF

    def is_out_of_range(self, error: Any) -> bool:
        """Tell whether it says that a partition does not have the offset that was asked for."""
        codes = self._kafka.KafkaError
        return error.code() in (codes._AUTO_OFFSET_RESET, codes.OFFSET_OUT_OF_RANGE, codes._LOG_TRUNCATION)

    def check(self, error: Any) -> None:
        """Raise RegistryError for what came instead of a message, unless librdkafka tries that again by itself."""
        if not error.retriable() and error.code() != self._kafka.KafkaError._TRANSPORT:
            raise self._error("reading failed", error)

    def close(self) -> None:
        """Leave, and end what librdkafka does in the background."""
        self._consumer.close()
