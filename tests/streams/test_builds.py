"""Batches and builds: a run builds, and a release holds, what `registry ingest` had listed when it began."""

import json
import subprocess
import sys
from threading import Thread

import pytest

from clone import Clone, under_git
from registry.sources.batches import check_continuous, find_batches
from support import wait_until

WAITING = """import time
    while Path(".snakemake").exists() and not Path("logs/go").exists():
        time.sleep(0.05)
    with job"""


class Events(Clone):
    """A registry whose only dataset is events, which grows from a topic."""

    topic = ""

    def produce(self, count, seed=1):
        self.run(
            *(sys.executable, "scripts/events/produce.py", "--topic", self.topic),
            *("--count", str(count), "--seed", str(seed), "--duplicates", "0", "--poison", "0"),
        )

    def build(self):
        return self.snakemake("--cores", "2", "events")

    def batches(self):
        """Return the batches in raw/, which follow each other."""
        found = find_batches(self.folder / "data/events/raw")
        check_continuous(found)
        return [batch.path.as_posix() for batch in found]

    def released(self, version):
        """Return the batches of which a version was built, which are those that its raw.dvc holds."""
        tag = f"events-v{version}"
        built = json.loads(self.git("show", f"{tag}:data/events/provenance.json"))["source"]["files"]
        files = self.run("dvc", "list", "--recursive", "--rev", tag, ".", "data/events/raw").split()
        assert sorted(files) == sorted(["sources.json", *(file["file"] for file in built)])
        return sorted(file["file"] for file in built)


@pytest.fixture
def events(bare, broker, topic, monkeypatch) -> Events:
    """Its first 60 messages are read."""
    for path in bare.folder.glob("config/datasets/*.yaml"):
        if path.stem != "events":
            path.unlink()
    bare.edit("config/config.yaml", "publish: false", "publish: true")
    bare.edit("config/datasets/events.yaml", "source: samples", "source: stream")
    bare.edit("config/datasets/events.yaml", "[shop-events]", f"[{topic}]")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker.address)
    events = Events(under_git(bare).folder)
    events.topic = topic
    events.produce(60)
    events.registry("ingest", "events", "--until-end")
    return events


def test_batches_wait_for_a_run_that_is_at_work(events):
    events.edit("scripts/events/process.py", "    with job", f"    {WAITING}")
    events.commit()
    first, said = events.batches(), []
    run = Thread(target=lambda: said.append(events.build()))
    run.start()
    wait_until((events.folder / "data/events/.stream/sources.json").is_file)
    events.produce(60, seed=2)
    command = [sys.executable, "-m", "registry", "ingest", "events", "--until-end"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=events.folder, env=events.environment(), **pipes) as ingest:
        assert "batches are written when it has ended" in ingest.stdout.readline()
        assert events.batches() == first
        events.write("logs/go", "")
        assert "60 messages" in ingest.communicate(timeout=120)[0]
    run.join()
    assert "released as events-v1.0.0" in said[0]
    assert events.released("1.0.0") == first
    assert "released as events-v1.1.0" in events.build()
    assert events.released("1.1.0") == events.batches() != first


def test_batches_that_were_not_listed_are_built_and_released(events, tmp_path):
    """Nor does a fresh clone read any message twice, or miss one, once others go on in it."""
    assert "released as events-v1.0.0" in events.build()
    events.produce(60, seed=2)
    events.interfered("before:registry.streams.kept.write_json:1", command="ingest events --until-end")
    assert "its sources changed" in events.registry("publish", code=None)
    assert "released as events-v1.1.0" in events.build()
    assert events.released("1.1.0") == events.batches()
    other = Events(events.cloned(tmp_path / "other").folder)
    other.topic = events.topic
    assert other.registry_json("ingest", "events", "--until-end")["batches"] == 0
    other.produce(30, seed=3)
    assert other.registry_json("ingest", "events", "--until-end")["messages"] == 30
    other.registry("run", "events")
    assert set(other.released("1.2.0")) > set(events.batches())
    metadata = json.loads((other.folder / "data/events/metadata.json").read_text())
    assert metadata["summary"]["messages"] == 150
