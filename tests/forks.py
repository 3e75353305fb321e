"""Processes that begin with everything imported: forked from one that waits, so that hundreds are affordable."""

import atexit
import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Ended(NamedTuple):
    """How a process ended (its exit code, or minus the signal that ended it) and what it printed.

    `printed` is both streams, or standard output alone where `errors` has the other.
    """

    code: int
    printed: str
    errors: str

    def with_code(self, code: int | None) -> str:
        """Check the exit code, unless any will do, and return what was printed."""
        assert code in (None, self.code), f"ended with {self.code}:\n{self.printed}{self.errors}"
        return self.printed


class Nursery:
    """A waiting process that imported `modules`; each call of `run` is a process of its own, forked from it."""

    def __init__(self, *modules: str) -> None:
        self.modules = modules
        self._process: subprocess.Popen[str] | None = None

    def run(self, function: str, *arguments: str, cwd: Path, env: Mapping[str, str], apart: bool = False) -> Ended:
        """Call `module:function` with `arguments` in a new process, in a group of its own, with nothing to read.

        `apart` keeps what it prints as errors out of `printed`.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__, *self.modules],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            atexit.register(self._close)
        with (
            tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as printed,
            tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as errors,
        ):
            streams = [printed.name, errors.name if apart else printed.name]
            request = {
                "function": function,
                "arguments": arguments,
                "cwd": str(cwd),
                "env": {**env},
                "streams": streams,
            }
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            status = int(self._process.stdout.readline())
            return Ended(os.waitstatus_to_exitcode(status), printed.read(), errors.read())

    def _close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


REGISTRY = Nursery(
    "registry.cli",
    "registry.trace.lookup",
    "configobj",
    "dulwich.ignore",
    "dulwich.worktree",
    "dvc.api",
    "dvc.cachemgr",
    "dvc.data_cloud",
    "dvc.dirs",
    "dvc.repo.artifacts",
    "dvc.repo.datasets",
    "dvc.repo.fetch",
    "dvc.repo.plots",
    "dvc.repo.stage",
    "dvc_data.hashfile.db.local",
    "dvc_data.hashfile.status",
    "dvc_s3",
    "networkx",
    "pandas",
    "platformdirs",
    "polars",
    "pyarrow.compute",
    "pyarrow.pandas_compat",
    "pyarrow.parquet",
    "pydantic.type_adapter",
    "pydantic.types",
    "rich._emoji_codes",
    "ruamel.yaml",
    "s3fs",
    "scmrepo.git",
    "typer._adapters",
)
"""For `registry`, and whatever else calls DVC."""
SNAKEMAKE = Nursery(
    "snakemake.cli",
    "snakemake.benchmark",
    "snakemake.profiles",
    "snakemake.report.html_reporter",
    "snakemake.storage",
    "jsonschema",
    "nbformat",
    "pandas",
    "platformdirs",
    "polars",
    "requests",
    "rich.table",
    "smart_open",
)
"""For `snakemake`, without `registry`: that comes from the folder of the run."""


def registry(*arguments: str) -> None:
    """Be the command `registry`."""
    from registry.cli import main

    sys.argv = ["registry", *arguments]
    main()


def snakemake(*arguments: str) -> None:
    """Be the command `snakemake`."""
    from snakemake.cli import main

    sys.argv = ["snakemake", *arguments]
    main()


def _be(request: dict[str, Any]) -> None:
    """Make this process what was asked for, and end it."""
    os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    for stream, name in zip((1, 2), request["streams"], strict=True):
        os.dup2(os.open(name, os.O_WRONLY | os.O_APPEND), stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    module, _, function = request["function"].partition(":")
    getattr(importlib.import_module(module), function)(*request["arguments"])


def _wait_for_requests() -> None:
    for name in sys.argv[1:]:
        importlib.import_module(name)
    # So that no child looks for garbage among what is here.
    gc.freeze()
    for line in iter(sys.stdin.readline, ""):
        pid = os.fork()
        if pid == 0:
            _be(json.loads(line))
            return
        print(os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    _wait_for_requests()
