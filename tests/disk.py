"""Disks that are full."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Mount a file system of this size at a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={megabytes}m"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"needs to mount a small tmpfs: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Take all space of a disk but so many kilobytes, and return the file that takes it."""
    filler = folder / ".filler"
    # Whoever else writes there may be first to take the last of it.
    with filler.open("wb", buffering=0) as stream, suppress(OSError):
        while (remaining := shutil.disk_usage(folder).free - leave * 1024) > 0:
            stream.write(b"x" * min(remaining, 1 << 20))
    return filler
