"""Who works beside `registry ingest`: no other one of the same dataset, and nobody who reads raw/ while it writes.

A run builds, and a release holds, what is in raw/ from the first moment to the last.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from registry.errors import RegistryError
from registry.release.record import lock_of
from registry.storage.repository import Repository
from registry.workflow.running import idle

LOCK = ".ingest.lock"
"""File in the dataset's folder whose lock `registry ingest` holds."""


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the lock of a dataset's stream. Raises RegistryError where another command has it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        what, hint = "another registry ingest is at work here", "wait until it has ended, or stop it by SIGTERM"
        raise RegistryError(what, where=folder.name, hint=hint) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def undisturbed(here: Repository) -> Iterator[bool]:
    """Tell whether neither Snakemake nor a command that releases or restores works here; both wait during the block."""
    lock = lock_of(here)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        with idle(here.root) as alone:
            yield alone
    finally:
        lock.release()
