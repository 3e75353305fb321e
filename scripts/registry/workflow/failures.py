"""What went wrong in the jobs of a run that failed: read from the logs that they left."""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.shown import shown
from registry.workflow.hook import LEFT_OUT
from registry.workflow.job import BREACHES, DONE, ERROR

TRACEBACK = "Traceback (most recent call last):"
TAIL = 10
"""As many lines of a log are shown that holds neither an error of ours nor a traceback."""


@dataclass(frozen=True)
class FailedJob:
    """A job that failed: its rule, where its log is, and the last that this says; None where it says nothing."""

    rule: str
    log: str | None
    message: str | None


def failed_jobs(jobs: Iterable[Any], *, since: float) -> list[FailedJob]:
    """Return what those of Snakemake's jobs left that failed in a run which began at `since`, by rule.

    The job of LEFT_OUT fails by design, and is none of them.
    """
    found = []
    single = [one for job in jobs for one in (job.jobs if job.is_group() else [job])]
    for job in sorted((job for job in single if job.rule.name != LEFT_OUT), key=lambda job: job.rule.name):
        path = Path(job.log[0]) if job.log else None
        written = path is not None and path.is_file() and path.stat().st_mtime >= since
        text = path.read_text(encoding="utf-8", errors="replace") if written else ""
        if text and text.splitlines()[-1].startswith(DONE):
            # It is in a group with one that failed.
            continue
        found.append(FailedJob(job.rule.name, path and str(path), _last_words(text)))
    return found


def _last_words(log: str) -> str | None:
    """Return the error that ends a log; its last lines where none does."""
    lines = log.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith((ERROR, TRACEBACK))]
    return shown("\n".join(lines[starts[-1] :] if starts else lines[-TAIL:])) or None


def print_failures(jobs: Iterable[FailedJob]) -> None:
    """Print on standard error what each job that failed has said last."""
    for job in jobs:
        said = job.message or "it has left no message; what Snakemake said of it is above"
        print(f"\n{job.rule} failed{f' ({job.log})' if job.log else ''}:\n{said}", file=sys.stderr)


def breaches_of(dataset: str, *, since: float) -> list[dict[str, Any]]:
    """Return how a dataset broke its contract in a run which began at `since`, as its jobs have written it down."""
    written = [path for path in Path("logs", dataset).glob(f"*{BREACHES}") if path.stat().st_mtime >= since]
    return [breach for path in sorted(written) for breach in json.loads(path.read_text(encoding="utf-8"))]
