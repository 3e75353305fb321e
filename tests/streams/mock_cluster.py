"""A broker that misbehaves when told to: librdkafka's own stand-in for a cluster, for what no real one does on demand.

It keeps 100,000 messages or 5 MB of a partition, and drops the oldest beyond that, as a topic's retention does.
"""

import ctypes
from importlib.util import find_spec
from pathlib import Path

import confluent_kafka

PRODUCER = 0
LOADED = Path(find_spec("confluent_kafka").origin).parents[1] / "confluent_kafka.libs"
FETCH, LIST_OFFSETS, METADATA = 1, 2, 3
"""Requests, by their numbers in the protocol."""


def _library() -> ctypes.CDLL:
    assert confluent_kafka.libversion(), "loads the library, which is then the one that is found here"
    library = ctypes.CDLL(str(next(LOADED.glob("librdkafka-*"))))
    for name in ("conf_new", "new", "mock_cluster_new"):
        getattr(library, f"rd_kafka_{name}").restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


class MockCluster:
    """One broker on loopback, which keeps messages in memory."""

    def __init__(self) -> None:
        self._library = _library()
        reason = ctypes.create_string_buffer(512)
        configuration = ctypes.c_void_p(self._library.rd_kafka_conf_new())
        self._library.rd_kafka_conf_set(configuration, b"log_level", b"0", reason, 512)
        self._client = ctypes.c_void_p(self._library.rd_kafka_new(PRODUCER, configuration, reason, 512))
        assert self._client, reason.value
        self._cluster = ctypes.c_void_p(self._library.rd_kafka_mock_cluster_new(self._client, 1))
        self.address: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def __enter__(self) -> "MockCluster":
        return self

    def __exit__(self, *_: object) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)

    def create(self, topic: str, partitions: int = 1) -> None:
        assert self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1) == 0

    def leave(self) -> None:
        """Close all connections, and accept none."""
        assert self._library.rd_kafka_mock_broker_set_down(self._cluster, 1) == 0

    def come_back(self) -> None:
        assert self._library.rd_kafka_mock_broker_set_up(self._cluster, 1) == 0

    def fail(self, request: int, *errors: int) -> None:
        """Answer the next requests of a kind with these errors."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(request), ctypes.c_size_t(len(errors)), codes
        )

    def begin(self, topic: str) -> int:
        """Return the first offset that it still has of partition 0."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.address, "group.id": "looks"})
        try:
            return consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, 0), timeout=30)[0]
        finally:
            consumer.close()
