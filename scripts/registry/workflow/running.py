"""Let others know that Snakemake, or one of its jobs, works here: by a lock that ends with its process."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

RUNNING = Path(".snakemake") / "running.lock"
"""Below the checkout. Every Snakemake that runs the workflow and every job of it hold this lock, several at a time."""

_held: list[IO[bytes]] = []


def hold_running(root: Path = Path()) -> None:
    """Hold the lock of the checkout at `root` until this process ends.

    It waits for those who look whether anybody holds it: they have it for themselves for an instant, and wait for
    nothing meanwhile. Where the folder cannot be written, nothing can run either; a file system without locks has none.
    """
    with suppress(OSError):
        (root / RUNNING).parent.mkdir(exist_ok=True)
        # NFS has no shared locks on files that cannot be read.
        lock = (root / RUNNING).open("a+b")
        _held.append(lock)
        fcntl.flock(lock, fcntl.LOCK_SH)


def time_of_files(root: Path = Path()) -> float:
    """Return the time by the clock that files in the checkout at `root` get theirs from: a server's, perhaps."""
    with suppress(OSError):
        (root / RUNNING).parent.mkdir(exist_ok=True)
        (root / RUNNING).touch()
        return (root / RUNNING).stat().st_mtime
    return time.time()


def others_run(root: Path = Path()) -> bool:
    """Tell whether another Snakemake, or a job of one, works in the checkout at `root`; this process holds no more."""
    while _held:
        _held.pop().close()
    with suppress(OSError), idle(root) as alone:
        return not alone
    return False


@contextmanager
def idle(root: Path) -> Iterator[bool]:
    """Tell whether no Snakemake, and no job of one, works in the checkout at `root`; one that starts waits meanwhile.

    A file system without locks has none that works.
    """
    (root / RUNNING).parent.mkdir(exist_ok=True)
    with (root / RUNNING).open("a+b") as lock:
        yield _is_free(lock)


def _is_free(lock: IO[bytes]) -> bool:
    """Take a lock, and tell whether nobody else has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return not isinstance(error, BlockingIOError)
    return True
