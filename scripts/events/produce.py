"""Make up events of a shop: python scripts/events/produce.py --count 1000, with duplicates, late ones and some poison.

The same seed makes the same messages. They go to the broker that KAFKA_BOOTSTRAP_SERVERS names, whose topic is made
if need be, or into batches as `registry ingest` would write them (--batches FOLDER). The sample data/samples/events is
made by --batches alone.
"""

import argparse
import json
import random
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any
from zlib import crc32

import pyarrow as pa

from registry.errors import RegistryError
from registry.extras import needed
from registry.shown import shown
from registry.sources.batches import SCHEMA, Batch, Notes, write_batch
from registry.streams.connection import SERVERS, connection, secrets

TOPIC = "shop-events"
ANSWER = 20
"""Seconds that the broker may take to answer, or to take the last messages."""
KINDS = ("view", "view", "view", "cart", "purchase")
SINCE = 500
"""A duplicate repeats one of so many messages before it, as a producer does that had no answer."""
LATEST = timedelta(days=2)
"""A late event occurred at most so long before it was sent."""


@dataclass(frozen=True)
class Message:
    """A message as it is sent; `poison` is why `registry ingest` will not take it, if it will not."""

    partition: int
    timestamp: int
    key: bytes
    value: bytes
    event_id: str
    poison: str | None = None


def messages(options: argparse.Namespace) -> Iterator[Message]:
    """Yield so many messages, a few of which repeat an earlier one, are late, or are poison."""
    rng = random.Random(options.seed)  # noqa: S311  nothing here is secret
    gap = timedelta(days=options.days) / max(options.count, 1)
    recent: deque[Message] = deque(maxlen=SINCE)
    for number in range(options.count):
        sent = options.start + number * gap
        timestamp = round(sent.timestamp() * 1000)
        chance = rng.random()
        if recent and chance < options.duplicates:
            yield replace(recent[int(rng.random() * len(recent))], timestamp=timestamp)
            continue
        late = LATEST * rng.random() if rng.random() < options.late else timedelta(seconds=rng.random())
        event = _event(rng, sent - late)
        key = event["event_id"].encode()
        partition = crc32(key) % options.partitions
        if rng.random() < options.poison:
            value, poison = _poison(rng, event)
            yield Message(partition, timestamp, key, value, event["event_id"], poison)
        else:
            recent.append(Message(partition, timestamp, key, _json(event), event["event_id"]))
            yield recent[-1]


def _event(rng: random.Random, occurred: datetime) -> dict[str, Any]:
    kind = KINDS[int(rng.random() * len(KINDS))]
    product = int(rng.random() * 400)
    return {
        "event_id": f"{rng.getrandbits(128):032x}",
        "occurred_at": occurred.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "kind": kind,
        "user": f"user-{int(rng.random() ** 2 * 5000):04}",
        "product": f"product-{product:03}",
        "price": round(1.99 + product * 0.75, 2),
        "quantity": 0 if kind == "view" else 1 + int(rng.random() * 3),
    }


def _poison(rng: random.Random, event: dict[str, Any]) -> tuple[bytes, str]:
    """Return what a faulty producer sends instead of an event, and the reason for which it is not taken."""
    chance = rng.random()
    if chance < 0.5:
        return _json(event)[: 20 + int(chance * 100)], "undecodable"
    wrong = event | {"price": f"{event['price']} EUR"} if chance < 0.75 else {"event_id": event["event_id"]}
    return _json(wrong), "invalid"


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def make_topic(topic: str, partitions: int) -> None:
    """Make a topic, unless the broker has it. Raises RegistryError for no answer, or a topic with fewer partitions."""
    kafka, admin, hint = needed("confluent_kafka"), needed("confluent_kafka.admin"), f"check {SERVERS}"
    try:
        client = admin.AdminClient(connection() | {"log_level": 0})
        known = client.list_topics(timeout=ANSWER).topics.get(topic)
        if known is None:
            client.create_topics([admin.NewTopic(topic, partitions, 1)])[topic].result(ANSWER)
            return
    except kafka.KafkaException as error:
        raise RegistryError(shown(error.args[0].str(), secrets()), where=topic, hint=hint) from None
    if len(known.partitions) < partitions:
        what, hint = f"the topic has {len(known.partitions)} partitions", f"--partitions {len(known.partitions)}"
        raise RegistryError(what, where=topic, hint=hint)


def send(those: Iterable[Message], topic: str, rate: float | None, listing: IO[str] | None) -> int:
    """Send messages to the broker, so many a second, and list each that it took; return how many it did not take."""
    kafka = needed("confluent_kafka")
    settings = {"enable.idempotence": True, "linger.ms": 20, "delivery.timeout.ms": ANSWER * 1000, "log_level": 0}
    producer = kafka.Producer(connection() | settings)
    failed = 0

    def listed(event_id: str) -> Any:
        def delivered(error: Any, message: Any) -> None:
            nonlocal failed
            failed += error is not None
            if listing and error is None:
                listing.write(f"{message.topic()}\t{message.partition()}\t{message.offset()}\t{event_id}\n")

        return delivered

    began = time.monotonic()
    for number, one in enumerate(those):
        if rate:
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
        arguments = {"key": one.key, "value": one.value, "partition": one.partition, "timestamp": one.timestamp}
        callback = listed("" if one.poison else one.event_id)
        while True:
            try:
                producer.produce(topic, **arguments, on_delivery=callback)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    unsent = producer.flush(2 * ANSWER)
    return failed + unsent


def write(those: Iterable[Message], topic: str, folder: Path, size: int) -> None:
    """Write messages as `registry ingest` does that keeps poison aside: batches of so many messages."""
    partitions: dict[int, list[Message]] = {}
    for one in those:
        partitions.setdefault(one.partition, []).append(one)
    for partition, its in sorted(partitions.items()):
        for first in range(0, len(its), size):
            _write(its[first : first + size], first, topic, partition, folder)


def _write(those: list[Message], first: int, topic: str, partition: int, folder: Path) -> None:
    good = [(first + place, one) for place, one in enumerate(those) if not one.poison]
    left_out: dict[str, int] = {}
    for reason in sorted(one.poison for one in those if one.poison):
        left_out[reason] = left_out.get(reason, 0) + 1
    columns = [
        [offset for offset, _ in good],
        [one.timestamp for _, one in good],
        [one.key for _, one in good],
        [one.value for _, one in good],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    batch = Batch(topic, partition, first, first + len(those) - 1)
    write_batch(folder, batch, pa.table(arrays, schema=SCHEMA), Notes(left_out))


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--topic", default=TOPIC)
    parser.add_argument("--count", type=int, default=1500, help="how many messages")
    parser.add_argument("--partitions", type=int, default=3, help="how many the topic has")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other events")
    parser.add_argument("--start", type=_moment, default="2026-11-01", help="when the first is sent (ISO 8601, UTC)")
    parser.add_argument("--days", type=float, default=3.0, help="over how many days they are spread")
    parser.add_argument("--rate", type=float, help="how many are sent a second; as many as can be, otherwise")
    parser.add_argument("--duplicates", type=float, default=0.02, help="share that repeats an earlier message")
    parser.add_argument("--late", type=float, default=0.01, help="share that is sent up to two days late")
    parser.add_argument("--poison", type=float, default=0.005, help="share that is no event at all")
    parser.add_argument("--list", type=Path, help="write topic, partition, offset and event_id of what was sent there")
    parser.add_argument("--batches", type=Path, help="write batches into this folder, and send nothing")
    parser.add_argument("--size", type=int, default=270, help="how many messages a batch has")
    return parser.parse_args(arguments)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def main(arguments: list[str] | None = None) -> None:
    """Make up messages, and send or write them."""
    options = options_of(arguments)
    made = messages(options)
    if options.batches:
        write(made, options.topic, options.batches, options.size)
        return
    try:
        make_topic(options.topic, options.partitions)
        with options.list.open("w", encoding="utf-8") if options.list else nullcontext() as listing:
            failed = send(made, options.topic, options.rate, listing)
    except (RegistryError, OSError) as error:
        raise SystemExit(str(error)) from None
    if failed:
        raise SystemExit(f"{failed} messages were not taken by the broker")


if __name__ == "__main__":
    main()
