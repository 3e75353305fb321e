"""What went wrong in the jobs of a run that failed: read from the logs that they left."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.gate import GateError, read_json
from registry.shown import shown
from registry.workflow.hook import LEFT_OUT
from registry.workflow.job import BREACHES, DONE, ERROR

TRACEBACK = "Traceback (most recent call last):"
BREACH = {"rule": str, "split": str, "column": str, "row": int | None, "message": str}
"""What programs are told of a breach."""
TAIL = 10
"""As many lines of a log are shown that holds neither an error of ours nor a traceback."""


@dataclass(frozen=True)
class FailedJob:
    """A job that failed: its rule, where its log is, and the last that this says; None where it says nothing.

    `page` is where the rows are shown by which it found a contract broken.
    """

    rule: str
    log: str | None
    message: str | None
    page: str | None = None

    @property
    def said(self) -> str:
        """What people are told of it."""
        said = self.message or "it has left no message"
        return f"{said}\n  to see the rows: {self.page}" if self.page else said


def failed_jobs(
    jobs: Iterable[Any], *, since: float, verdict_of: Callable[[Any], object | None] = lambda job: None
) -> list[FailedJob]:
    """Return what those of Snakemake's jobs left that failed in a run which began at `since`, by rule.

    `verdict_of` returns what a cluster says of a job, or a group of jobs, that left no error itself. Of a group, those
    are named that left an error, else the first that did not end well, else the last, after which something went wrong.
    The job of LEFT_OUT fails by design, and is not.
    """
    found = []
    for job in jobs:
        if not job.is_group() and job.rule.name == LEFT_OUT:
            continue
        unended = [one for one in members(job) if not _ended_well(_text(one, since))]
        wrong = [one for one in unended if says_why(one, since=since)] or unended[:1] or members(job)[-1:]
        for one in wrong:
            said = _last_words(_text(one, since))
            if (verdict := verdict_of(job)) and not says_why(one, since=since):
                said = f"{verdict}" + (f"\n{said}" if said else "")
            found.append(FailedJob(one.rule.name, str(one.log[0]) if one.log else None, said))
    return sorted(found, key=lambda one: one.rule)


def members(job: Any) -> list[Any]:
    """Return the jobs of a group in the order of their work; of a single job itself."""
    return [one for level in job.toposorted for one in level] if job.is_group() else [job]


def says_why(job: Any, *, since: float) -> bool:
    """Tell whether a job has written an error of ours into its log since the time `since`."""
    return any(line.startswith(ERROR) for line in _text(job, since).splitlines())


def _text(job: Any, since: float) -> str:
    """Return what a job has written into its log since then."""
    path = Path(job.log[0]) if job.log else None
    written = path is not None and path.is_file() and path.stat().st_mtime >= since
    return path.read_text(encoding="utf-8", errors="replace") if written else ""


def _ended_well(log: str) -> bool:
    return bool(log) and log.splitlines()[-1].startswith(DONE)


def _last_words(log: str) -> str | None:
    """Return the error that ends a log; its last lines where none does."""
    lines = log.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith((ERROR, TRACEBACK))]
    return shown("\n".join(lines[starts[-1] :] if starts else lines[-TAIL:])) or None


def print_failures(jobs: Iterable[FailedJob]) -> None:
    """Print on standard error what each job that failed has said last."""
    for job in jobs:
        said = job.said if job.message else f"{job.said}; what Snakemake said of it is above"
        print(f"\n{job.rule} failed{f' ({job.log})' if job.log else ''}:\n{said}", file=sys.stderr)


def breaches_of(dataset: str, *, since: float) -> list[dict[str, Any]]:
    """Return how a dataset broke its contract in a run which began at `since`, as its jobs have written it down."""
    written = [path for path in Path("logs", dataset).glob(f"*{BREACHES}") if path.stat().st_mtime >= since]
    return [breach for path in sorted(written) for breach in _told(path)]


def _told(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the breaches that a job has written into a file, which may come from where others can write."""
    try:
        said = read_json(path.read_bytes(), where=path)
    except (GateError, OSError) as error:
        print(shown(f"not what a job writes: {error}"), file=sys.stderr)
        return
    found = said.get("breaches") if isinstance(said, dict) else None
    for breach in found if isinstance(found, list) else []:
        told = {name: breach.get(name) for name in BREACH} if isinstance(breach, dict) else {}
        if told and all(isinstance(told[name], kind) for name, kind in BREACH.items()):
            yield told
