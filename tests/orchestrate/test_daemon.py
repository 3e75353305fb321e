"""What Dagster's daemon does by itself, from events that are sent to a broker to versions that people open."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress

import dagster as dg
import psutil
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import ScheduleInstigatorData

from flow import INGEST, Flow, make_flow
from flow import SMALL as FEW
from orchestrated import Orchestrated
from registry.workflow.snakemake import turn
from support import free_ports, wait_until
from tansu import Tansu

TOPIC, DAY = "shop-events", 86_400
WAITS = "another registry command runs Snakemake here: waiting for it to finish"


class Watched(Flow, Orchestrated):
    """A registry whose only dataset grows from a topic, which a Dagster of its own looks after."""

    dagster: dg.DagsterInstance
    """What Dagster knows, opened for all of a test, since it is asked often."""

    def send(self, seed: int) -> None:
        """Send more events, and read them into one batch."""
        self.produce(40, seed, *FEW, "--partitions", "1")
        self.registry(*INGEST)

    def turn_on(self, what: str, name: str) -> None:
        """Turn a sensor or schedule on, as a user does."""
        assert f"Started {what} {name}" in self.run("dagster", what, "start", name)

    def turned_on_a_day_ago(self) -> None:
        """Let Dagster take its schedule for one that was turned on a day ago."""
        (state,) = self.dagster.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
        since = ScheduleInstigatorData(state.instigator_data.cron_schedule, time.time() - DAY)
        self.dagster.update_instigator_state(state.with_data(since))

    def runs(self) -> list[tuple[str, dg.DagsterRunStatus]]:
        """Return what started each run, the first one first, and how that stands."""
        runs = self.dagster.get_runs(ascending=True)
        started = [run.tags.get("dagster/sensor_name") or run.tags["dagster/schedule_name"] for run in runs]
        return [*zip(started, (run.status for run in runs), strict=True)]

    def waits(self) -> bool:
        """Tell whether the newest run waits for another one."""
        (newest,) = self.dagster.get_runs(limit=1)
        return any(WAITS in entry.user_message for entry in self.dagster.all_logs(newest.run_id))


@pytest.fixture
def watched(tmp_path) -> Iterator[Watched]:
    """One in which a minute takes Dagster a second, and all else is as users have it."""
    with Tansu(tmp_path) as broker:
        flow = make_flow(tmp_path / "registry", broker.address, TOPIC)
        flow.edit("scripts/registry/orchestrate/watch.py", "\nEVERY = 60\n", "\nEVERY = 1\n")
        flow.commit("Look often")
        clone = Watched(flow.folder, broker.address, TOPIC)
        with clone.instance() as clone.dagster:
            yield clone


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it has started, as a machine does that loses its power."""
    started = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)
    for each in started:
        with suppress(psutil.NoSuchProcess):
            each.kill()


def test_the_daemon_releases_what_was_read_at_night_after_it_was_killed_and_at_once(watched):
    clone: Watched = watched
    done, failed = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
    (port,) = free_ports(1)
    clone.send(1)
    clone.turn_on("schedule", "every_night")
    clone.turned_on_a_day_ago()
    with clone.dagster_dev(port) as process:
        # The night came while Dagster was off: it is made up for.
        wait_until(lambda: clone.runs() == [("every_night", done)])
        assert clone.versions() == ["1.0.0"]
        clone.send(2)
        with turn(clone.folder, print):
            clone.turn_on("sensor", "new_events")
            wait_until(lambda: clone.waits())
            kill_all(process)
    with clone.dagster_dev(port):
        with turn(clone.folder, print):
            wait_until(lambda: len(clone.runs()) == 3 and clone.waits())
        wait_until(lambda: clone.runs()[1:] == [("new_events", failed), ("new_events", done)])
        assert clone.versions() == ["1.0.0", "1.1.0"]
        clone.send(3)
        wait_until(lambda: clone.runs()[3:] == [("new_events", done)])
        assert clone.versions() == ["1.0.0", "1.1.0", "1.2.0"]
        clone.check_all_is_released()
        assert clone.newest("events").metadata["version"].value == "1.2.0"
