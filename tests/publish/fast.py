"""Processes that begin with everything imported: forked from one that waits, so that hundreds are affordable."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, NamedTuple


class Ended(NamedTuple):
    """How a process ended (its exit code, or minus the signal that ended it) and what it printed on both streams."""

    code: int
    printed: str


class Nursery:
    """A waiting process; each call of `run` is a process of its own, forked from it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, work: str, *arguments: str, cwd: Path, env: dict[str, str]) -> Ended:
        """Run `registry`, `interfere` (see killing.py) or `get` in a new process, in a group of its own."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            atexit.register(self._close)
        with tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as log:
            request = {"work": work, "arguments": arguments, "cwd": str(cwd), "env": env, "log": log.name}
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            status = int(self._process.stdout.readline())
            return Ended(os.waitstatus_to_exitcode(status), log.read())

    def _close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def _work(work: str, arguments: list[str]) -> None:
    if work == "get":
        from dvc.repo import Repo

        for tag, path, out in json.loads(arguments[1]):
            Repo.get(arguments[0], path, out=out, rev=tag)
        return
    if work == "interfere":
        from killing import interfere

        interfere(*arguments[:2])
        arguments = arguments[2:]
    from registry.cli import main

    sys.argv = ["registry", *arguments]
    main()


def _child(request: dict[str, Any]) -> int:
    os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        _work(request["work"], request["arguments"])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _wait_for_requests() -> None:
    import dvc_s3  # noqa: F401
    import polars  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import s3fs  # noqa: F401

    import killing  # noqa: F401
    import registry.cli  # noqa: F401

    for line in iter(sys.stdin.readline, ""):
        pid = os.fork()
        if pid == 0:
            code = _child(json.loads(line))
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        print(os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    _wait_for_requests()
