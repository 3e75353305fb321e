"""Start Snakemake. This is the only place that does, and it knows when a lock that Snakemake left behind is dead.

Snakemake's own locks hold paths, no process: after kill -9 they stay, and every later run of these outputs is refused.
So there are two locks of the operating system, which end with the process that holds them, however that ends:
    .snakemake/registry.lock   held by whoever starts Snakemake through here, one at a time
    .snakemake/running.lock    held by every Snakemake that runs this workflow, and by its jobs, several at a time
Whoever holds the first, and finds that nobody holds the second, knows that Snakemake's locks are dead. A job may live
on when its Snakemake was killed: it is waited for, or two would write the same files. A Snakemake that was started
through here holds the first lock, too, and can be seen before it holds the second, though its starter was killed.
On a file system without locks nobody can be waited for, and nothing is known to be dead.
"""

import fcntl
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from registry.config.load import read_yaml
from registry.config.names import is_name, rule_of
from registry.errors import RegistryError
from registry.extras import check_installed
from registry.workflow.record import RECORD
from registry.workflow.running import RUNNING
from registry.workflow.stopping import stopping_what_it_starts

OURS, LOCKS = RUNNING.with_name("registry.lock"), RUNNING.with_name("locks")
PATIENCE = 600
"""Seconds to wait for another run before giving up, unless REGISTRY_PATIENCE in the environment says how many."""
PAUSE = 0.2
SPACE = 4 << 20
"""Bytes that must be free for Snakemake's own records and logs: with less it ends in tracebacks."""
CLUSTERS = ("cluster-generic", "kubernetes", "slurm")
"""Executors that extras of the same names bring."""
PROFILES = ("--profile", "--workflow-profile")
PROFILE = "SNAKEMAKE_PROFILE"
"""Names a profile in the environment."""

Say = Callable[[str], None]


def wait_until_idle(root: Path, say: Say) -> None:
    """Wait until no Snakemake runs in the checkout at `root`: it would see data change under its hands.

    Raises RegistryError where one does not end in time.
    """
    if (root / RUNNING).exists():
        with _opened(root / RUNNING) as running:
            _wait_for(running, "Snakemake runs here", say)


@contextmanager
def alone(lock: Path, who: str, say: Say) -> Iterator[None]:
    """Keep others waiting during the block who ask for the same lock; RegistryError where one does not end in time.

    `who` is what is said to have it.
    """
    with _opened(lock) as file:
        _wait_for(file, who, say)
        yield


def run(
    root: Path,
    arguments: Sequence[str],
    *,
    say: Say,
    env: Mapping[str, str | None] | None = None,
    mine: IO[bytes] | None = None,
    **streams: Any,
) -> int:
    """Run `snakemake` with these arguments in the checkout at `root`, and return its exit code.

    `env` adds to the environment (None takes a variable away); `streams` are stdin, stdout and stderr as subprocess
    takes them; `mine` is what `turn` gave, within which this runs. SIGTERM is handed on to it, and its end is waited
    for. Raises RegistryError where another run does not end in time.
    """
    check_installed("snakemake")
    variables = {name: value for name, value in {**os.environ, **(env or {})}.items() if value is not None}
    with nullcontext(mine) if mine else turn(root, say) as lock:
        command, passed = _command(arguments), [lock.fileno()]
        with (
            stopping_what_it_starts(),
            subprocess.Popen(command, cwd=root, env=variables, pass_fds=passed, **streams) as process,  # noqa: S603
        ):
            return process.wait()


def run_quietly(
    root: Path, arguments: Sequence[str], *, say: Say, env: Mapping[str, str | None] | None = None
) -> tuple[int, str]:
    """Do as `run`, and return the exit code and all that was printed."""
    # Not a pipe, which a job that outlives its Snakemake would keep open.
    with TemporaryFile() as output:
        code = run(root, arguments, say=say, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        output.seek(0)
        return code, output.read().decode(errors="replace").strip()


def record_as_done(workflow: Any, datasets: Sequence[str]) -> None:
    """Let Snakemake record, at the end of its run `workflow`, that these datasets are done as they are here.

    Nothing waits for that run, which has the lock of this checkout. Raises RegistryError.
    """
    settings = workflow.config_settings
    command = ["--touch", "--forceall", "--no-hooks", "--nolock", "--quiet", "all", "--cores", "1"]
    command += ["--configfiles", *map(str, settings.configfiles)] if settings.configfiles else []
    command += ["--config", *settings.config_args, "publish=false", "--", *map(rule_of, datasets)]
    variables = {name: value for name, value in os.environ.items() if name != PROFILE}
    done = subprocess.run(_command(command), env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # noqa: S603
    if done.returncode:
        what = f"brought, but not recorded as done:\n{done.stdout.strip()}"
        raise RegistryError(what, hint="fix that, and run the same command again")


def target_of(root: Path, argument: str) -> str:
    """Return the rule of a dataset that an argument of Snakemake names; any other, as of a file, is what it was."""
    named = is_name(argument) and (root / "config" / "datasets" / f"{argument}.yaml").is_file()
    return rule_of(argument) if named and not (root / argument).exists() else argument


def become(root: Path, arguments: Sequence[str], *, say: Say) -> None:
    """Become `snakemake` with these arguments in the checkout at `root`; raises RegistryError as `run` does."""
    check_installed("snakemake")
    _check_profiles(root, arguments)
    if not (root / "config" / "config.yaml").is_file():
        hint = "run this in a clone of one; in a container, mount that at /registry"
        raise RegistryError("no registry is here", where=str(root), hint=hint)
    with turn(root, say) as lock:
        os.chdir(root)
        os.set_inheritable(lock.fileno(), True)
        command = _command(arguments)
        os.execv(command[0], command)  # noqa: S606


def _check_profiles(root: Path, arguments: Sequence[str]) -> None:
    """Check that the executor is installed that a profile names: Snakemake would print all of its options instead.

    Raises RegistryError.
    """
    words = [word for argument in arguments for word in argument.split("=", 1)]
    for profile in [value for option, value in pairwise(words) if option in PROFILES]:
        path = root / profile / "config.yaml"
        executor = read_yaml(path).get("executor") if path.is_file() else None
        if executor in CLUSTERS and find_spec(f"snakemake_executor_plugin_{executor.replace('-', '_')}") is None:
            hint = f"pip install 'data-registry[{executor}]'"
            where = str(Path(profile, "config.yaml"))
            raise RegistryError(f"executor: {executor} is not installed", where=where, hint=hint)


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "snakemake", *arguments]


@contextmanager
def turn(root: Path, say: Say) -> Iterator[IO[bytes]]:
    """Wait until nobody else runs Snakemake here, take away dead locks, and keep others waiting during the block.

    Raises RegistryError where another run does not end in time, or the disk is full.
    """
    _check_space(root)
    with _opened(root / OURS) as ours:
        _wait_for(ours, "another registry command runs Snakemake here", say)
        with _opened(root / RUNNING) as running:
            alone = _wait_for(running, "Snakemake runs here", say)
            if alone and not (root / LOCKS).parent.is_symlink():
                shutil.rmtree(root / LOCKS, ignore_errors=True)
        yield ours


def _check_space(root: Path) -> None:
    """Check that a run could write what it does down. Raises RegistryError."""
    if (free := shutil.disk_usage(root).free) < SPACE:
        # What is told of an earlier run would be taken for what came of this one.
        (root / RECORD).unlink(missing_ok=True)
        what = f"no space left on device: {free:,} bytes are free, and a run needs {SPACE:,} for its own records"
        raise RegistryError(what, where=str(root), hint="free some space, and run the same command again")


def _wait_for(lock: IO[bytes], who: str, say: Say) -> bool:
    """Wait until nobody else has a lock, and take it; False where the file system has no locks."""
    try:
        if _taken(lock):
            return True
    except OSError:
        return False
    say(f"{who}: waiting for it to finish")
    limit = patience("REGISTRY_PATIENCE", PATIENCE)
    deadline = time.monotonic() + limit
    while not _taken(lock):
        if time.monotonic() > deadline:
            raise RegistryError(
                f"{who}, and did not finish in {limit:g} s", hint="run the same command again afterwards"
            )
        time.sleep(PAUSE)
    return True


def patience(variable: str, default: float) -> float:
    """Return how many seconds to wait: what the environment's variable says, else `default`. Raises RegistryError."""
    given = os.environ.get(variable)
    with suppress(ValueError):
        if not given or math.isfinite(float(given)):
            return float(given or default)
    raise RegistryError("not a number of seconds", where=variable, hint="set a number, such as 600, or unset it")


def _taken(lock: IO[bytes]) -> bool:
    """Take a lock where nobody else has it, and tell whether it was taken."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(path: Path) -> IO[bytes]:
    path.parent.mkdir(exist_ok=True)
    return path.open("a+b")
