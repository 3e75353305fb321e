"""A broker that fails for a while, or for good: what was read is kept, and nothing is read twice."""

import pytest

from mock_cluster import FETCH, LIST_OFFSETS, METADATA, MockCluster
from registry.errors import RegistryError
from registry.storage.repository import Repository
from registry.streams.ingest import Bounds, ingest
from shop import NAME, numbered, produce
from support import wait_until

TOPIC = "fails"
UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE, NOT_LEADER, TIMED_OUT, STORAGE = 3, 5, 6, 7, 56
"""Errors of the protocol that pass."""


@pytest.fixture
def cluster():
    with MockCluster() as cluster:
        cluster.create(TOPIC, 3)
        yield cluster


@pytest.fixture
def shop(empty, cluster):
    empty.listen(cluster.address, topics=[TOPIC], batch={"messages": 20, "seconds": 1})
    return empty


@pytest.mark.parametrize(
    ("request_of", "errors"),
    [
        (METADATA, [LEADER_NOT_AVAILABLE] * 3),
        (LIST_OFFSETS, [NOT_LEADER, TIMED_OUT]),
        (FETCH, [NOT_LEADER, TIMED_OUT, UNKNOWN_TOPIC, STORAGE]),
    ],
)
def test_errors_that_pass(shop, cluster, request_of, errors):
    sent = produce(cluster.address, TOPIC, numbered(0, 90))
    cluster.fail(request_of, *errors)
    shop.ingest()
    assert shop.read() == sent


def test_a_broker_that_leaves_and_comes_back(shop, cluster):
    sent = produce(cluster.address, TOPIC, numbered(0, 60))
    running = shop.start()
    wait_until(lambda: shop.written() == 60)
    cluster.leave()
    with pytest.raises(AssertionError):
        produce(cluster.address, TOPIC, numbered(0, 1), **{"message.timeout.ms": 1000})
    cluster.come_back()
    sent += produce(cluster.address, TOPIC, numbered(100, 30))
    wait_until(lambda: shop.written() == 90)
    running.terminate()
    printed, _ = running.communicate(timeout=60)
    assert running.returncode == 0, printed
    assert shop.read() == sorted(sent)


def test_a_broker_that_never_comes_back(shop, cluster, monkeypatch):
    """What was read before is kept."""
    sent = produce(cluster.address, TOPIC, numbered(0, 60))
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", cluster.address)
    here = Repository.open(shop.folder)
    with pytest.raises(RegistryError, match=f"{cluster.address}: no broker answers"):
        ingest(here, NAME, Bounds(), say=lambda _: cluster.leave() if shop.written() == 60 else None, patience=1)
    assert shop.read() == sent
