"""`registry run` is snakemake, and knows dead locks from live ones."""

import fcntl
import shutil
import subprocess
import sys

import psutil
import pytest

from clone import Clone
from registry.workflow.running import RUNNING
from registry.workflow.snakemake import LOCKS, OURS
from support import wait_until

TARGET = "data/tabular/raw/dataset.csv"


BEGIN = "    with job(snakemake):\n"


def killed(clone: Clone) -> list[psutil.Process]:
    """Start a run for real, kill it alone in the middle of a job, and return what it leaves running."""
    clone.edit("scripts/tabular/generate.py", BEGIN, f"{BEGIN}        __import__('time').sleep(600)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", TARGET],
        cwd=clone.folder,
        env=clone.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until((clone.folder / "logs" / "tabular" / "generate.log").exists)
    left = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    clone.git("checkout", "--quiet", "--", "scripts")
    assert list((clone.folder / LOCKS).glob("*.lock"))
    return left


def test_it_goes_on_after_a_run_that_was_killed_and_its_jobs(fresh):
    jobs = killed(fresh)
    assert "LockException" in fresh.run("snakemake", "--cores", "1", TARGET, code=1)
    assert "did not finish in 0.1 s" in fresh.registry("run", TARGET, code=1, REGISTRY_PATIENCE="0.1")
    for job in jobs:
        job.kill()
    psutil.wait_procs(jobs)
    fresh.registry("run", TARGET, "--", "--config", "publish=false")
    assert (fresh.folder / TARGET).is_file()
    assert "Nothing to be done" in fresh.registry("run", TARGET, "--", "-n")


def test_it_ends_as_snakemake_ends(fresh):
    assert "MissingRuleException" in fresh.registry("run", "no-such-target", code=1)
    assert "unrecognized arguments: --no-such-option" in fresh.registry("run", "--", "--no-such-option", code=2)


@pytest.mark.parametrize(
    ("lock", "who"), [(OURS, "another registry command runs Snakemake here"), (RUNNING, "Snakemake runs here")]
)
def test_it_waits_for_a_run_that_lives_and_leaves_its_locks_alone(lock, who, fresh):
    theirs = fresh.folder / LOCKS / "0.output.lock"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("data/emotion/raw\n")
    with (fresh.folder / lock).open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        printed = fresh.registry("run", TARGET, code=1, REGISTRY_PATIENCE="0.1")
    assert f"{who}: waiting for it to finish" in printed
    assert f"error: {who}, and did not finish in 0.1 s" in printed
    assert theirs.is_file()


def test_every_run_of_the_workflow_can_be_seen_by_the_others(fresh):
    fresh.snakemake("-n", TARGET)
    assert (fresh.folder / RUNNING).is_file()


def test_a_folder_that_a_link_leads_to_keeps_its_files(fresh, tmp_path):
    theirs = tmp_path / "elsewhere" / "locks" / "precious"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    shutil.rmtree(fresh.folder / ".snakemake", ignore_errors=True)
    (fresh.folder / ".snakemake").symlink_to(tmp_path / "elsewhere")
    fresh.registry("run", "--", "--version")
    assert theirs.is_file()
