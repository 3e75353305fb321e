"""Runs that fail, are killed, or meet: nothing wrong is released, and the next run completes what one has left."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from orchestrated import MODULE, OTHER, SMALL, Orchestrated, selection
from support import wait_until

BEGIN = "    with job(snakemake):\n"
WAIT = "        while not __import__('os').path.exists('logs/go'):\n            __import__('time').sleep(0.05)\n"


def gated(clone: Orchestrated) -> None:
    """Let the first job of a dataset wait until there is a file logs/go."""
    clone.edit("scripts/tabular/generate.py", BEGIN, BEGIN + WAIT)
    clone.commit("Wait")


def open_gate(clone: Orchestrated) -> None:
    (clone.folder / "logs" / "go").touch()


@contextmanager
def started(clone: Orchestrated) -> Iterator[subprocess.Popen[str]]:
    """Start `dagster asset materialize` as a process of its own, with what it prints in a pipe."""
    with subprocess.Popen(
        ["dagster", "asset", "materialize", "-m", MODULE, "--select", selection(SMALL)],
        cwd=clone.folder,
        env=clone.environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        yield process


def snakemake_of(process: subprocess.Popen[str]) -> psutil.Process:
    """Return the run that a Dagster has started."""
    (run,) = [each for each in psutil.Process(process.pid).children() if "snakemake" in each.cmdline()]
    return run


def at_work(clone: Orchestrated) -> None:
    wait_until((clone.folder / "logs" / "tabular" / "generate.log").exists)


def test_a_broken_contract_is_a_failed_check_and_nothing_of_it_is_released(fresh):
    clone: Orchestrated = fresh
    clone.edit("config/datasets/tabular.yaml", "values: [0, 1]", "values: [0]")
    clone.commit("Ask for one label")
    printed = clone.materialize(SMALL, OTHER, code=1)
    checks = clone.checks(SMALL)
    assert {check: one.passed for check, one in checks.items()} == {"column_label": False}
    (breach,) = next(one for one in clone.record()["datasets"] if one["dataset"] == SMALL)["breaches"]
    assert breach["message"] in checks["column_label"].description
    assert f"{SMALL}: the contract is broken" in printed
    assert clone.newest(SMALL) is None
    # What does not need it is built and released.
    assert clone.newest(OTHER).metadata["version"].value == "1.0.0"
    assert clone.tags() == [f"{OTHER}-v1.0.0"]


def test_after_dagster_was_killed_the_next_run_waits_for_what_it_left_and_completes_it(fresh):
    clone: Orchestrated = fresh
    gated(clone)
    with started(clone) as killed:
        at_work(clone)
        killed.kill()
    with started(clone) as following:
        assert any("waiting for it to finish" in line for line in following.stdout)
        open_gate(clone)
        printed = following.communicate()[0]
    assert following.returncode == 0, printed
    assert clone.tags() == [f"{SMALL}-v1.0.0"]
    assert clone.newest(SMALL).metadata["version"].value == "1.0.0"


def test_after_a_run_was_killed_its_dagster_says_so_and_the_next_run_completes_it(fresh):
    clone: Orchestrated = fresh
    gated(clone)
    with started(clone) as process:
        at_work(clone)
        run = snakemake_of(process)
        run.kill()
        open_gate(clone)
        printed = process.communicate()[0]
    assert process.returncode == 1
    assert f"`registry run` ended with -{int(signal.SIGKILL)}, and left no record of what it did" in printed
    assert clone.newest(SMALL) is None
    assert clone.execute(SMALL).success
    assert clone.tags() == [f"{SMALL}-v1.0.0"]


def test_a_run_that_is_told_to_end_lets_its_snakemake_end_first(fresh):
    clone: Orchestrated = fresh
    gated(clone)
    with started(clone) as process:
        at_work(clone)
        run = snakemake_of(process)
        os.kill(process.pid, signal.SIGINT)
        open_gate(clone)
        process.communicate()
    assert process.returncode != 0
    assert not run.is_running()
    assert clone.record()["ending"] == "interrupted"
    assert clone.tags() == []


def test_of_two_runs_at_once_one_waits(fresh):
    clone: Orchestrated = fresh
    gated(clone)
    with started(clone) as first:
        at_work(clone)
        with started(clone) as second:
            assert any("waiting for it to finish" in line for line in second.stdout)
            open_gate(clone)
            ends = [first.communicate()[0], second.communicate()[0]]
    assert (first.returncode, second.returncode) == (0, 0), ends
    assert clone.tags() == [f"{SMALL}-v1.0.0"]
    assert clone.newest(SMALL).metadata["state"].value == "up to date"
