"""The whole flow of `events`, from its own producer to released versions; what was sent is counted by the producer."""

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from functools import cached_property
from pathlib import Path

from clone import Clone, under_git
from events.produce import main as produce
from project import copy_repository
from registry import open_dataset

STEPS = Path(__file__).with_name("steps")
ROW = ["topic", "partition", "offset", "event_id"]
INGEST = ("ingest", "events", "--until-end")
RUN = ("run", "events")
BUILD = (*RUN, "--", "--config", "publish=false")
PUBLISH = ("publish",)
SMALL = ("--days", "0.01", "--duplicates", "0.1", "--late", "0.1", "--poison", "0.05")


class Flow(Clone):
    """A registry whose only dataset is `events`, which grows from a topic at a broker."""

    def __init__(self, folder: Path, address: str, topic: str) -> None:
        super().__init__(folder)
        self.address, self.topic = address, topic
        self.list = folder.with_name("list.tsv")
        """Where the producer lists what it has sent: topic, partition, offset, event_id, which poison does not have."""

    def environment(self, **extra: str) -> dict[str, str]:
        return super().environment(KAFKA_BOOTSTRAP_SERVERS=self.address, **extra)

    def produce(self, count: int, seed: int, *options: str) -> None:
        """Send so many messages, as scripts/events/produce.py does, and add them to the list."""
        more = self.list.with_suffix(".more")
        os.environ["KAFKA_BOOTSTRAP_SERVERS"] = self.address
        produce(["--topic", self.topic, "--count", str(count), "--seed", str(seed), "--list", str(more), *options])
        with self.list.open("ab") as listing:
            listing.write(more.read_bytes())

    def sent(self) -> tuple[set[tuple[str, int, int, str]], int, int]:
        """Return the first message of each event, and how many messages there were in all, and of poison."""
        rows = [line.split("\t") for line in self.list.read_text(encoding="utf-8").splitlines()]
        first: dict[str, tuple[str, int, int, str]] = {}
        for topic, partition, offset, event_id in sorted(rows, key=lambda row: int(row[2])):
            if event_id:
                first.setdefault(event_id, (topic, int(partition), int(offset), event_id))
        return {*first.values()}, len(rows), sum(not event_id for *_, event_id in rows)

    def check_all_is_released(self) -> None:
        """Check that the newest version has each event that was sent once, and counts all other messages."""
        events, messages, poison = self.sent()
        newest = open_dataset("events", repo=self.folder)
        rows = newest.lazy_frame().select(ROW).collect().rows()
        twice = [row for row, count in Counter(rows).items() if count > 1]
        assert (twice, {*rows} - events, events - {*rows}) == ([], set(), set())
        summary = newest.metadata["summary"]
        assert summary["events"] == len(events)
        assert sum(summary["left_out"].values()) == poison
        assert summary["messages"] + poison == messages
        assert summary["duplicates"] == messages - poison - len(events)

    def versions(self) -> list[str]:
        """Return the released versions, the oldest first; each must have all rows of the one before."""
        tags = self.git("tag", "--list", "events-v*", "--sort", "v:refname").split()
        before: set[tuple[object, ...]] = set()
        for tag in tags:
            frame = open_dataset("events", tag.removeprefix("events-v"), repo=self.folder).lazy_frame()
            rows = {*frame.collect().rows()}
            assert before <= rows, f"{tag} lacks rows of the version before"
            before = rows
        return [tag.removeprefix("events-v") for tag in tags]

    def killed_at(self, step: int, *command: str) -> bool:
        """Run `registry` as a process group that is killed at so many steps; tell whether it came so far."""
        self._counted.unlink(missing_ok=True)
        steps = {"STEPS": str(self._counted), "STEP_TO_KILL_AT": str(step)}
        environment = self.environment(**steps)
        environment["PYTHONPATH"] += os.pathsep + str(STEPS)
        done = subprocess.run(
            [sys.executable, "-m", "registry", *command],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stdout
        return done.returncode != 0

    def steps(self, *command: str) -> int:
        """Run `registry` to its end, and return how many steps it took."""
        assert not self.killed_at(-1, *command)
        return self._counted.stat().st_size

    @cached_property
    def _counted(self) -> Path:
        return self.folder.with_name("steps")


def make_flow(folder: Path, address: str, topic: str) -> Flow:
    """Make a registry of which nothing is read, built or released."""
    project = copy_repository(folder, "docs/", "benchmarks/")
    for path in folder.glob("config/datasets/*.yaml"):
        if path.stem != "events":
            path.unlink()
    project.edit("config/datasets/events.yaml", "source: samples", "source: stream")
    project.edit("config/datasets/events.yaml", "topics: [shop-events]", f"topics: [{topic}]")
    under_git(project)
    return Flow(folder, address, topic)


def kill_rounds(flow: Flow, kills: int, seed: int) -> Counter[str]:
    """Send events and kill ingest, build and publish by turns, each somewhere, so many times; then let all be done.

    Returns how many times each was killed.
    """
    rng, killed, round_ = random.Random(seed), Counter(), 0
    flow.produce(40, 0, *SMALL)
    steps = {command: flow.steps(*command) for command in (INGEST, BUILD, PUBLISH)}
    while killed.total() < kills:
        round_ += 1
        flow.produce(20, round_, *SMALL)
        command = (INGEST, BUILD, PUBLISH)[killed.total() % 3]
        if command != INGEST:
            flow.registry(*INGEST)
        if command == PUBLISH:
            flow.registry(*BUILD)
        killed[command[0]] += flow.killed_at(rng.randrange(steps[command]) + 1, *command)
        if command == PUBLISH and rng.random() < 0.5:
            flow.registry(*PUBLISH)
    flow.registry(*INGEST)
    flow.registry(*RUN)
    return killed
