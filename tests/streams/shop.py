"""A small registry with a dataset that grows from a stream, and producers for it."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml
from confluent_kafka import Producer

from registry.sources.batches import check_continuous, find_batches, read_batch
from tiny import Tiny

NAME = "numbers"
Read = list[tuple[str, int, int, bytes | None]]
"""Messages: topic, partition, offset, value."""


class Shop(Tiny):
    """The dataset is `numbers`, and its stream the topics of one test."""

    def listen(self, address: str, **stream: Any) -> None:
        """Let the dataset grow from a stream at a broker."""
        path = self.folder / "config" / "datasets" / f"{NAME}.yaml"
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        config["stream"] = stream
        path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        self.variables |= {"KAFKA_BOOTSTRAP_SERVERS": address}

    def ingest(self, *options: str, code: int | None = 0) -> str:
        """Run `registry ingest` to the end of the topics, unless options say otherwise."""
        return self.registry("ingest", NAME, *(options or ("--until-end",)), code=code)

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Start `registry ingest` as a process of its own."""
        command = [sys.executable, "-m", "registry", "ingest", NAME, *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=self.folder, env=self.environment(), **pipes)

    @property
    def data(self) -> Path:
        return self.folder / "data" / NAME

    def written(self) -> int:
        """Return how many messages the batches cover by now, while a command writes them."""
        return sum(batch.last + 1 - batch.first for batch in find_batches(self.data / "raw"))

    def read(self) -> Read:
        """Return all messages in its batches, which must follow each other, and be those that sources.json lists."""
        raw = self.data / "raw"
        batches = find_batches(raw)
        check_continuous(batches)
        if batches:
            listed = json.loads((raw / "sources.json").read_text(encoding="utf-8"))
            assert listed["mode"] == "stream"
            assert [file["file"] for file in listed["files"]] == sorted(batch.path.as_posix() for batch in batches)
        found: Read = []
        for batch in batches:
            table, _ = read_batch(raw, batch)
            columns = table["offset"].to_pylist(), table["value"].to_pylist()
            found += [(batch.topic, batch.partition, *row) for row in zip(*columns, strict=True)]
        return found

    def left_out(self) -> dict[str, int]:
        """Return how many messages its batches say they lack, by reason."""
        raw, found = self.data / "raw", {}
        for batch in find_batches(raw):
            for reason, count in read_batch(raw, batch)[1].left_out.items():
                found[reason] = found.get(reason, 0) + count
        return found

    def aside(self) -> list[dict[str, Any]]:
        """Return the messages that were kept aside."""
        files = sorted(self.data.glob("quarantine/*/*/*.parquet"))
        return [row for file in files for row in pq.read_table(file).to_pylist()]


def produce(address: str, topic: str, values: Iterable[bytes | None], partitions: int = 3, **options: Any) -> Read:
    """Send messages to partitions by turns, and return what the broker took, sorted."""
    sent: Read = []

    def delivered(error: Any, message: Any) -> None:
        assert error is None, error
        sent.append((message.topic(), message.partition(), message.offset(), message.value()))

    producer = Producer({"bootstrap.servers": address, "linger.ms": 5, **options})
    for number, value in enumerate(values):
        producer.produce(topic, value, key=str(number), partition=number % partitions, on_delivery=delivered)
        producer.poll(0)
    assert producer.flush(60) == 0
    return sorted(sent)


def numbered(first: int, count: int) -> list[bytes]:
    """Return so many messages that are JSON objects."""
    return [json.dumps({"number": number}).encode() for number in range(first, first + count)]
