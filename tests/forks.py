"""Processes that begin with everything imported: forked from one that waits, so that hundreds are affordable."""

import atexit
import functools
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, NamedTuple

from fork_server import end_with


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
    """A process that waits with `modules` imported; each call of `run` is a process of its own, forked from it."""

    def __init__(self, name: str, *modules: str) -> None:
        self.name = name
        self.modules = modules
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Return the path of its socket."""
        return str(Path(_folder().name) / self.name)

    def start(self) -> None:
        """Start the process, unless it was."""
        with self._starting:
            if self._process is None:
                self._process = self._started()
                atexit.register(self._close)

    def _started(self) -> subprocess.Popen[bytes]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(self.address)
            listener.listen()
            return subprocess.Popen(
                [sys.executable, Path(__file__).with_name("fork_server.py"), str(listener.fileno()), *self.modules],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
            )

    def run(self, function: str, *arguments: str, cwd: Path, env: Mapping[str, str], apart: bool = False) -> Ended:
        """Call `module:function` with `arguments` in a new process, in a group of its own, with nothing to read.

        `apart` keeps what it prints as errors out of `printed`.
        """
        for used in (self, JOBS, REGISTRY):
            used.start()
        request = {
            "function": function,
            "arguments": arguments,
            "cwd": str(cwd),
            "env": {**env, "FORKS": _folder().name},
        }
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection,
            tempfile.TemporaryFile() as printed,
            tempfile.TemporaryFile() as errors,
            Path(os.devnull).open() as nothing,
        ):
            connection.connect(self.address)
            streams = [nothing.fileno(), printed.fileno(), (errors if apart else printed).fileno()]
            socket.send_fds(connection, [json.dumps(request).encode()], streams)
            status = int(connection.recv(16))
            return Ended(os.waitstatus_to_exitcode(status), _text(printed), _text(errors))

    def _close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return where the sockets are, and `python`, which a forked Snakemake takes for its interpreter."""
    folder = tempfile.TemporaryDirectory(prefix="forks-")
    python = Path(folder.name) / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {Path(__file__).with_name("forked_python.py")} "$@"\n')
    python.chmod(0o755)
    return folder


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", errors="replace")


_SNAKEMAKE = (
    "snakemake_plugins",
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
    "registry",
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
SNAKEMAKE = Nursery("snakemake", *_SNAKEMAKE)
"""For `snakemake`, without `registry`: that comes from the folder of the run."""
JOBS = Nursery(
    "jobs",
    "PIL.Image",
    "PIL.ImageDraw",
    "imagehash",
    "jsonschema",
    "markdown_it",
    "polars",
    "pooch",
    "pyarrow.compute",
    "pyarrow.parquet",
    "requests",
    "semantic_text_splitter",
    "simplejpeg",
    "snakemake.script",
    "yaml",
)
"""For the scripts of the jobs of a Snakemake that was forked."""


def registry(*arguments: str) -> None:
    """Be the command `registry`, whose Snakemake is forked, too."""
    import registry.workflow.snakemake
    from registry.cli import main

    start = registry.workflow.snakemake
    # Nothing else of it: a start that is not replaced here would be unseen, and slow.
    start.subprocess = SimpleNamespace(Popen=_start_snakemake, DEVNULL=subprocess.DEVNULL, STDOUT=subprocess.STDOUT)
    start.os = SimpleNamespace(**vars(os) | {"execv": _turn_into_snakemake})
    sys.argv = ["registry", *arguments]
    main()


def snakemake(*arguments: str) -> None:
    """Be the command `snakemake`, whose jobs are forked, too."""
    from snakemake.cli import main

    sys.executable = str(Path(os.environ["FORKS"]) / "python")
    sys.argv = ["snakemake", *arguments]
    main()


def script(path: str) -> None:
    """Be the script of a job. What PYTHONPATH has comes before what was imported, as it would in a new process."""
    own = {found.stem for folder in _python_path() for found in Path(folder).iterdir()}
    for name in [name for name in sys.modules if name.partition(".")[0] in own]:
        del sys.modules[name]
    sys.path = [str(Path(path).parent), *_python_path(), *filter(_is_library, sys.path)]
    sys.argv = [path]
    runpy.run_path(path, run_name="__main__")


class _Forked:
    """What subprocess.Popen would be of a process that was forked."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._status: int | None = None

    def __enter__(self) -> "_Forked":
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()

    def wait(self) -> int:
        if self._status is None:
            self._status = os.waitpid(self._pid, 0)[1]
        return os.waitstatus_to_exitcode(self._status)


def _start_snakemake(
    command: list[str], *, cwd: Path, env: Mapping[str, str], pass_fds: Sequence[int], **streams: Any
) -> "_Forked | subprocess.Popen[bytes]":
    """Do what subprocess.Popen would with `python -m snakemake`, in a process forked from this one."""
    if _is_replaced(env):
        return subprocess.Popen(command, cwd=cwd, env=env, pass_fds=pass_fds, **streams)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        end_with(lambda: _become_snakemake(command, cwd, env, streams))
    return _Forked(pid)


def _turn_into_snakemake(python: str, command: list[str]) -> None:
    """Do what os.execv would with `python -m snakemake`, in this process."""
    if _is_replaced(os.environ):
        os.execv(python, command)
    end_with(lambda: _become_snakemake(command, Path.cwd(), {**os.environ}, {}))


def _is_replaced(env: Mapping[str, str]) -> bool:
    """Tell whether a test has a Snakemake of its own."""
    return any(Path(folder, "snakemake.py").exists() for folder in _python_path(env))


def _become_snakemake(
    command: list[str], cwd: Path, env: Mapping[str, str], streams: Mapping[str, int | IO[bytes] | None]
) -> None:
    assert command[:3] == [sys.executable, "-m", "snakemake"]
    sys.setprofile(None)
    atexit._clear()
    for stream, name in enumerate(("stdin", "stdout", "stderr")):
        _redirect(stream, streams.get(name))
    for name in [name for name in sys.modules if name.partition(".")[0] == "registry"]:
        del sys.modules[name]
    sys.path = [str(cwd), *_python_path(env), *filter(_is_library, sys.path)]
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    snakemake(*command[3:])


def _redirect(stream: int, target: int | IO[bytes] | None) -> None:
    if target == subprocess.DEVNULL:
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    elif target == subprocess.STDOUT:
        os.dup2(1, stream)
    elif target is not None:
        os.dup2(target.fileno(), stream)


def _python_path(env: Mapping[str, str] = os.environ) -> list[str]:
    return env.get("PYTHONPATH", "").split(os.pathsep)


def _is_library(folder: str) -> bool:
    return not Path(folder).is_relative_to(Path(__file__).parents[1]) or "site-packages" in folder
