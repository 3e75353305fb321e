"""Nights that are killed, or told to stop: the next completes them."""

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from nights import FIRST, NIGHT, World
from support import PATIENCE, wait_until


def kill(pid: int) -> None:
    os.killpg(pid, signal.SIGKILL)


def in_a_job(world: World, doomed: Callable[[], int]) -> None:
    answer = world.api.server.routes["/repos/OpenCloudHub/docs/readme"]

    def kill_first(handler):
        kill(doomed())
        answer(handler)

    world.api.server.routes["/repos/OpenCloudHub/docs/readme"] = kill_first


def at_origin(hook: str) -> Callable:
    def arrange(world: World, doomed: Callable[[], int]) -> None:
        pid = world.origin.parent / "pid"
        script = world.origin / "hooks" / hook
        script.write_text(f"#!/bin/sh\nkill -9 -$(cat {pid})\nsleep 600\n")
        script.chmod(0o755)
        threading.Thread(target=lambda: pid.write_text(str(doomed())), daemon=True).start()

    return arrange


def before_the_database(world: World, doomed: Callable[[], int]) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    world.database.server = replace(world.database.server, port=listening.getsockname()[1])

    def kill_who_calls() -> None:
        with listening:
            listening.accept()
            kill(doomed())

    threading.Thread(target=kill_who_calls, daemon=True).start()


@pytest.mark.parametrize(
    "arrange",
    [in_a_job, at_origin("pre-receive"), at_origin("post-receive"), before_the_database],
    ids=["in a job", "before origin took it", "after origin took it", "before it is loaded"],
)
def test_a_night_that_is_killed_is_completed_by_the_next(world, arrange):
    world.change()
    server, routes, started = world.database.server, dict(world.api.server.routes), threading.Event()
    process: list[subprocess.Popen] = []

    def doomed() -> int:
        assert started.wait(PATIENCE)
        return process[0].pid

    arrange(world, doomed)
    process.append(world.start())
    started.set()
    assert process[0].wait(PATIENCE) == -signal.SIGKILL
    process[0].communicate()
    shutil.rmtree(world.origin / "hooks", ignore_errors=True)
    world.database.server = server
    world.api.server.routes.update(routes)
    printed = world.night()
    assert "Traceback" not in printed
    world.check_all_is_released()
    assert world.record()["unreleased"] == []
    assert world.clone.git("status", "--short") == ""


@pytest.mark.parametrize(
    "command", [NIGHT, ("run", "--", "--cores", "2", "--forcerun", "opencloudhub_readmes_download")]
)
def test_a_run_that_is_told_to_stop_ends_at_once_and_is_completed(world, command):
    world.change()
    asked, go = threading.Event(), threading.Event()
    answer = world.api.server.routes["/repos/OpenCloudHub/docs/readme"]

    def wait_first(handler):
        asked.set()
        go.wait(PATIENCE)
        answer(handler)

    world.api.server.routes["/repos/OpenCloudHub/docs/readme"] = wait_first
    process = world.start(*command)
    assert asked.wait(PATIENCE)
    process.terminate()
    printed = process.communicate(timeout=PATIENCE)[0]
    go.set()
    assert process.returncode == 143, printed
    assert printed.count("it was told to stop (SIGTERM)") == 1
    assert "Traceback" not in printed
    record = world.record()
    assert (record["ending"], record["failed_jobs"]) == ("interrupted", [])
    assert "it was stopped before all jobs were done" in world.clone.registry("summary", code=1)
    assert world.tags() == FIRST
    world.night()
    world.check_all_is_released()


def test_a_night_that_is_told_to_stop_in_its_release_is_completed(world):
    world.clone.edit("config/datasets/tabular.yaml", "n_samples: 1_000", "n_samples: 1_100")
    world.clone.registry("run", "tabular", "--", "--config", "publish=false", **world.environment())
    reached, hook = world.origin.parent / "reached", world.origin / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {reached}\nexec sleep 600\n")
    hook.chmod(0o755)
    process = world.start()
    wait_until(reached.exists)
    process.terminate()
    printed = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 143, printed
    assert "Traceback" not in printed
    assert world.tags() == FIRST
    assert "The data is built, but not released" in world.clone.registry("summary", code=1)
    hook.unlink()
    world.night()
    assert world.tags() == sorted([*FIRST, "tabular-v1.1.0"])
