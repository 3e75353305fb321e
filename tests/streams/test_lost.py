"""Topics that no longer have what the batches go on with: truncated by their retention, or made again."""

import json
import signal

import pytest

from mock_cluster import MockCluster
from shop import NAME, numbered, produce
from support import wait_until

TOPIC = "short"
LOST = f"offsets 30 to {{}} of partition 0 of {TOPIC}"


@pytest.fixture
def cluster():
    with MockCluster() as cluster:
        cluster.create(TOPIC)
        yield cluster


def listen(shop, cluster):
    shop.listen(cluster.address, topics=[TOPIC], batch={"messages": 20})
    return shop


def send(cluster, first, count):
    return produce(cluster.address, TOPIC, numbered(first, count), partitions=1)


def truncate(cluster):
    """Send so much that the broker drops what it had first; return what it still has."""
    large = (json.dumps({"number": number, "filler": "x" * 12_000}).encode() for number in range(1000))
    sent = produce(cluster.address, TOPIC, large, partitions=1)
    return [row for row in sent if row[2] >= cluster.begin(TOPIC)]


def test_messages_that_were_lost_before_it_begins(empty, cluster):
    shop = listen(empty, cluster)
    read = send(cluster, 0, 30)
    shop.ingest()
    kept = truncate(cluster)
    begin = kept[0][2]
    for _ in range(2):
        printed = shop.ingest(code=1)
        assert "the broker has lost messages that were not read yet" in printed
        assert f"\n  {LOST.format(f'{begin - 1:,}')}\n" in printed and "--accept-lost" in printed
        assert shop.read() == read
    assert f"left out: {begin - 30:,} lost" in shop.ingest("--until-end", "--accept-lost")
    assert shop.read() == read + kept
    assert shop.left_out() == {"lost": begin - 30}
    assert shop.registry_json("ingest", NAME, "--until-end")["batches"] == 0


@pytest.mark.parametrize("accepts", [False, True])
def test_messages_that_are_lost_while_it_reads(empty, cluster, accepts):
    """It is stopped for as long as the broker loses them, as by a network that is away."""
    shop = listen(empty, cluster)
    read = send(cluster, 0, 30)
    running = shop.start(*(["--accept-lost"] if accepts else []))
    wait_until(lambda: shop.written() == 30)
    running.send_signal(signal.SIGSTOP)
    kept = truncate(cluster)
    begin = kept[0][2]
    running.send_signal(signal.SIGCONT)
    if accepts:
        wait_until(lambda: shop.written() >= kept[-1][2] - 20)
        running.terminate()
    printed, _ = running.communicate(timeout=60)
    assert running.returncode == (0 if accepts else 1), printed
    if not accepts:
        assert printed.count("offsets 30 to") == 1 and "Traceback" not in printed
        assert LOST.format(f"{begin - 1:,}") in printed
        assert shop.read() == read
    shop.ingest("--until-end", "--accept-lost")
    assert shop.read() == read + kept
    assert shop.left_out() == {"lost": begin - 30}


@pytest.mark.parametrize(
    ("count", "what"),
    [
        (10, "ends at offset 10, before 30"),
        (29, "ends at offset 29, before 30"),
        (30, "has another message at offset 29"),
        (50, "has another message at offset 29"),
    ],
)
def test_a_topic_that_was_made_again(empty, cluster, count, what):
    shop = listen(empty, cluster)
    read = send(cluster, 0, 30)
    shop.ingest()
    with MockCluster() as other:
        other.create(TOPIC)
        listen(shop, other)
        send(other, 1000, count)
        for options in (["--until-end"], ["--until-end", "--accept-lost"]):
            printed = shop.ingest(*options, code=1)
            assert f"partition 0 of {TOPIC} {what}" in printed and "the topic was made again" in printed
            assert printed.count("\n") == 2
            assert shop.read() == read
