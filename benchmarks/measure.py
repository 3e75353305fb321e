"""Measure whole processes, and write down what they used.

Every figure is the operating system's own accounting of a process and its children: CPU seconds (user and system) and
the peak memory of the largest; the median of a few runs. Compare ratios, not seconds: machines are noisy.
"""

import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = 5


@dataclass
class Usage:
    """What one or more processes used: seconds of wall clock and CPU, and MB of memory at most."""

    wall: float
    cpu: float
    memory: float

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.wall + other.wall, self.cpu + other.cpu, max(self.memory, other.memory))


Row = tuple[str, Usage, str]
"""What was measured, what it used, and the aim or a ratio."""


def run(*command: str | Path, folder: Path = ROOT, env: Mapping[str, str] | None = None) -> Usage:
    """Run a command to its end; it must succeed."""
    started = time.monotonic()
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **(env or {})},
    )
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} failed:\n{printed.decode()}")
    return Usage(time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median(measure: Callable[[], Usage], runs: int = RUNS) -> Usage:
    """Return the median of each figure over some runs, after one that does not count."""
    measure()
    found = [measure() for _ in range(runs)]
    return Usage(*(statistics.median(getattr(usage, key) for usage in found) for key in ("wall", "cpu", "memory")))


def clone(folder: Path) -> Path:
    """Copy the repository as git knows it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {system}"


def write_lines(name: str, table: list[str]) -> None:
    """Write benchmarks/<name>.md, with the lines of a table, and print it."""
    text = f"Measured by `make bench` on {_machine()}.\n\n{chr(10).join(table)}\n"
    (ROOT / "benchmarks" / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)


def write_table(name: str, rows: list[Row]) -> None:
    """Write benchmarks/<name>.md and print it."""
    lines = [f"| {what} | {u.wall:.1f} | {u.cpu:.1f} | {u.memory:.0f} | {note} |" for what, u, note in rows]
    write_lines(name, ["| what | wall s | CPU s | peak MB | aim, or ratio |", "|---|---|---|---|---|", *lines])
