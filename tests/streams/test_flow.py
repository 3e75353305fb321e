"""From the producer to a version that people read, through a real broker, and with kill -9 anywhere on the way."""

import os
import subprocess
import sys

import pytest

from flow import INGEST, RUN, Flow, kill_rounds, make_flow
from registry import open_dataset
from support import ROOT


@pytest.fixture
def flow(broker, topic, tmp_path, monkeypatch) -> Flow:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker.address)
    return make_flow(tmp_path / "registry", broker.address, topic)


def produce(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the producer as docs/streams.md says."""
    command = [sys.executable, ROOT / "scripts" / "events" / "produce.py", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), **variables}
    return subprocess.run(command, env=environment, text=True, capture_output=True)


def test_what_is_produced_is_read_released_and_opened(flow, broker):
    sent = produce("--topic", flow.topic, "--count", "2000", "--list", str(flow.list))
    assert (sent.returncode, sent.stdout, sent.stderr) == (0, "", "")
    assert len(flow.list.read_text().splitlines()) == 2000
    flow.registry(*INGEST)
    assert "released as events-v1.0.0" in flow.registry(*RUN)
    flow.check_all_is_released()
    flow.produce(500, 2, "--start", "2026-11-03")
    flow.registry(*INGEST)
    assert "released as events-v1.1.0" in flow.registry(*RUN)
    flow.check_all_is_released()
    assert flow.versions() == ["1.0.0", "1.1.0"]
    days = open_dataset("events", "^1", repo=flow.folder).metadata["summary"]["day_distribution"]
    assert [day for day in days if day > "2026-11-03"] == ["2026-11-04", "2026-11-05"]


def test_the_producer_makes_its_topic_and_says_what_is_wrong(broker, topic, monkeypatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker.address)
    assert produce("--topic", f"{topic}-new", "--count", "10", "--partitions", "2").returncode == 0
    assert len(broker.admin.list_topics(timeout=10).topics[f"{topic}-new"].partitions) == 2
    for said, refused in {
        f"{topic}: the topic has 3 partitions\n": produce("--topic", topic, "--count", "10", "--partitions", "4"),
        "no broker is named": produce("--count", "10", KAFKA_BOOTSTRAP_SERVERS=""),
    }.items():
        assert refused.returncode == 1
        assert said in refused.stderr and refused.stderr.count("\n") == 2


def test_killed_anywhere_on_the_way_nothing_is_lost_or_doubled(flow):
    """9 of the 50 kills of benchmarks/streams.py."""
    assert kill_rounds(flow, kills=9, seed=1) == {"ingest": 3, "run": 3, "publish": 3}
    flow.check_all_is_released()
    assert len(flow.versions()) >= 3
