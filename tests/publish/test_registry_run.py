"""`registry run` is snakemake, and knows dead locks from live ones."""

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from clone import Clone
from registry.workflow.running import RUNNING, hold_running
from registry.workflow.snakemake import LOCKS, OURS, run, target_of, wait_until_idle
from support import PATIENCE, ROOT, wait_until

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
    assert "not a number of seconds" in fresh.registry("run", TARGET, code=1, REGISTRY_PATIENCE="nan")
    for job in jobs:
        job.kill()
    psutil.wait_procs(jobs)
    fresh.registry("run", TARGET, "--", "--config", "publish=false")
    assert (fresh.folder / TARGET).is_file()
    assert "Nothing to be done" in fresh.registry("run", TARGET, "--", "-n")


@pytest.mark.parametrize(
    ("argument", "target"),
    [
        ("wine-quality", "wine_quality"),
        ("file-here", "file-here"),
        ("not-there", "not-there"),
        ("--dry-run", "--dry-run"),
    ],
)
def test_a_dataset_is_built_by_its_name(tmp_path, argument, target):
    (tmp_path / "config/datasets").mkdir(parents=True)
    for name in ("wine-quality", "file-here"):
        (tmp_path / f"config/datasets/{name}.yaml").touch()
    (tmp_path / "file-here").touch()
    assert target_of(tmp_path, argument) == target


def test_it_ends_as_snakemake_ends(fresh):
    assert "nothing makes no-such-target" in fresh.registry("run", "no-such-target", code=1)
    assert "nothing makes wine" not in fresh.registry("run", "wine-quality", "--", "-n")
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


def test_what_a_run_writes_down_is_left_to_it_by_one_that_does_not_start(fresh):
    record = fresh.folder / "logs" / "run.json"
    (fresh.folder / RUNNING).parent.mkdir()
    with (fresh.folder / RUNNING).open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        fresh.snakemake("--cores", "1", "--config", "source=upstrem", fails=True)
        assert not record.exists()
    fresh.snakemake("--cores", "1", "--config", "source=upstrem", fails=True)
    assert json.loads(record.read_text())["ending"] == "failed"


def test_a_folder_that_a_link_leads_to_keeps_its_files(fresh, tmp_path):
    theirs = tmp_path / "elsewhere" / "locks" / "precious"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    shutil.rmtree(fresh.folder / ".snakemake", ignore_errors=True)
    (fresh.folder / ".snakemake").symlink_to(tmp_path / "elsewhere")
    fresh.registry("run", "--", "--version")
    assert theirs.is_file()


def test_a_job_that_starts_while_somebody_looks_can_be_seen_afterwards(tmp_path, monkeypatch):
    asked, flock = threading.Event(), fcntl.flock

    def noticed(lock, flags):
        if not flags & fcntl.LOCK_NB:
            asked.set()
        try:
            flock(lock, flags)
        finally:
            asked.set()

    (tmp_path / RUNNING).parent.mkdir()
    with (tmp_path / RUNNING).open("ab") as looking:
        flock(looking, fcntl.LOCK_EX)
        monkeypatch.setattr(fcntl, "flock", noticed)
        job = threading.Thread(target=hold_running, args=[tmp_path], daemon=True)
        job.start()
        assert asked.wait(PATIENCE)
    job.join(PATIENCE)
    assert is_held(tmp_path / RUNNING)


STARTER = """
import sys
import threading
from pathlib import Path
from pathlib import Path
from registry.workflow import snakemake
snakemake._command = lambda code: [sys.executable, "-c", *code]
snakemake.run(Path(), ["print('started', flush=True); input()"], say=print)
"""


def test_snakemake_is_seen_when_the_command_that_started_it_is_killed(tmp_path):
    env = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", STARTER], cwd=tmp_path, env=env, **pipes) as starter:
        assert starter.stdout.readline() == b"started\n"
        starter.kill()
        starter.wait()
        assert is_held(tmp_path / OURS)
    wait_until(lambda: not is_held(tmp_path / OURS))


def test_on_a_file_system_without_locks_it_runs_and_takes_nothing_away(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", flock)
    (tmp_path / LOCKS).mkdir(parents=True)
    hold_running(tmp_path)
    wait_until_idle(tmp_path, print)
    assert run(tmp_path, ["--version"], say=print, stdout=subprocess.DEVNULL) == 0
    assert (tmp_path / LOCKS).is_dir()


def is_held(path: Path) -> bool:
    with path.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
