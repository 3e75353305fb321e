"""Processes that begin with everything imported: forked from one that waits, so that hundreds are affordable."""

import atexit
import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, NamedTuple, NoReturn


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


_SNAKEMAKE = (
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
REGISTRY = Nursery(
    *_SNAKEMAKE,
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
"""For `registry`, with the Snakemake that it starts, and whatever else calls DVC."""
SNAKEMAKE = Nursery(*_SNAKEMAKE)
"""For `snakemake`, without `registry`: that comes from the folder of the run."""


def registry(*arguments: str) -> None:
    """Be the command `registry`, whose Snakemake is forked, too."""
    import registry.workflow.snakemake
    from registry.cli import main

    registry.workflow.snakemake.subprocess = SimpleNamespace(**vars(subprocess) | {"run": _run_snakemake})
    sys.argv = ["registry", *arguments]
    main()


def snakemake(*arguments: str) -> None:
    """Be the command `snakemake`."""
    from snakemake.cli import main

    sys.argv = ["snakemake", *arguments]
    main()


def _run_snakemake(
    command: list[str], *, cwd: Path, env: Mapping[str, str], **streams: Any
) -> subprocess.CompletedProcess[bytes]:
    """Do what subprocess.run would with `python -m snakemake`, in a process forked from this one."""
    assert command[:3] == [sys.executable, "-m", "snakemake"]
    if any(Path(folder, "snakemake.py").exists() for folder in env.get("PYTHONPATH", "").split(os.pathsep)):
        # A test has one of its own.
        return subprocess.run(command, cwd=cwd, env=env, **streams)
    pid = os.fork()
    if pid == 0:
        _end_with(lambda: _become_snakemake(command[3:], cwd, env, streams))
    return subprocess.CompletedProcess(command, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _become_snakemake(
    arguments: list[str], cwd: Path, env: Mapping[str, str], streams: Mapping[str, int | IO[bytes] | None]
) -> None:
    sys.setprofile(None)
    atexit._clear()
    for stream, name in enumerate(("stdin", "stdout", "stderr")):
        _redirect(stream, streams.get(name))
    for name in [name for name in sys.modules if name.partition(".")[0] == "registry"]:
        del sys.modules[name]
    sys.path = [str(cwd), *env.get("PYTHONPATH", "").split(os.pathsep), *filter(_is_library, sys.path)]
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    snakemake(*arguments)


def _redirect(stream: int, target: int | IO[bytes] | None) -> None:
    if target == subprocess.DEVNULL:
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    elif target == subprocess.STDOUT:
        os.dup2(1, stream)
    elif target is not None:
        os.dup2(target.fileno(), stream)


def _is_library(folder: str) -> bool:
    return not Path(folder).is_relative_to(Path(__file__).parents[1]) or "site-packages" in folder


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


def _end_with(function: Callable[[], None]) -> NoReturn:
    """Call a function and end this process as Python would after it.

    Only that nothing of what was inherited is freed: that would copy all of it.
    """
    code = 0
    try:
        function()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _wait_for_requests() -> None:
    for name in sys.argv[1:]:
        importlib.import_module(name)
    # So that no child looks for garbage among what is here.
    gc.freeze()
    for line in iter(sys.stdin.readline, ""):
        pid = os.fork()
        if pid == 0:
            _end_with(lambda line=line: _be(json.loads(line)))
        print(os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    _wait_for_requests()
