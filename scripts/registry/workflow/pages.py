"""Draw what people look at after a run: the page that shows how a dataset broke its contract."""

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from registry.files import atomic_file
from registry.gate import read_json
from registry.shown import shown
from registry.workflow.failures import FailedJob
from registry.workflow.job import BREACHES

PAGE = ".breaches.html"
"""Ends the name, beside the log of a job that found a contract broken, of the page that shows the rows by which."""


def remove_pages(jobs: Iterable[Any]) -> None:
    """Remove the pages that an earlier run has drawn of Snakemake's jobs, which are about to run again."""
    for job in jobs:
        if job.log:
            # A job that cannot write its log either says so.
            with suppress(OSError):
                Path(job.log[0]).with_suffix(PAGE).unlink()


def with_pages(failed: Sequence[FailedJob], *, since: float) -> list[FailedJob]:
    """Return the jobs that failed, those with a page that found a contract broken in a run which began at `since`."""
    return [replace(job, page=_drawn(Path(job.log), since)) if job.log else job for job in failed]


def _drawn(log: Path, since: float) -> str | None:
    """Draw the page of a job by what it has left beside its log; None where it has left nothing, or too little."""
    record, page = log.with_suffix(BREACHES), log.with_suffix(PAGE)
    if not record.is_file() or record.stat().st_mtime < since:
        return None
    from registry.catalog.breaches import breaches_page

    try:
        said = read_json(record.read_bytes(), where=record)
        if "metadata" not in said:
            return None
        content = breaches_page(said, Path())
        with atomic_file(page) as partial:
            partial.write_bytes(content)
    except Exception as error:  # noqa: BLE001  what the job has said stands all the same, and the run has to end
        print(f"{page} is not drawn: {shown(str(error))}", file=sys.stderr)
        return None
    return str(page)
