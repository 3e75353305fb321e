"""Write logs/run.json: what a run did, for CI, schedules and orchestrators. run.schema.yaml says what it holds."""

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from registry.files import write_json
from registry.workflow.failures import FailedJob, breaches_of
from registry.workflow.summary import Outcome

RECORD = Path("logs", "run.json")
"""Below the folder of the run."""
SCHEMA = Path(__file__).with_name("run.schema.yaml")
RELEASED = ("state", "version", "tag", "previous", "level", "reasons", "hint")
"""What of an outcome of `registry publish` a dataset's release is told by."""


class Ending(StrEnum):
    """How a run ended."""

    RUNNING = "running"
    """It has not, or it was killed."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NOTHING_TO_DO = "nothing to do"


def write_record(
    ending: Ending,
    *,
    since: float,
    reason: str | None = None,
    outcomes: Iterable[Outcome] = (),
    failed: Sequence[FailedJob] = (),
    publication: Mapping[str, Any] | None = None,
    unreleased: Sequence[str] = (),
) -> None:
    """Write down how a run that began at `since` ended, and why, and how each dataset stands.

    `publication` is what `registry publish --json` prints, `unreleased` the datasets that an earlier run has built and
    not released. Raises OSError.
    """
    publication = publication or {}
    released = {one["dataset"]: {key: one[key] for key in RELEASED} for one in publication.get("outcomes", ())}
    record = {
        "ending": ending,
        "reason": reason,
        "started": _spelt(since),
        "ended": None if ending == Ending.RUNNING else _spelt(time.time()),
        "datasets": [
            {
                **_renamed(dataclasses.asdict(one)),
                "release": released.get(one.name),
                "breaches": breaches_of(one.name, since=since),
            }
            for one in outcomes
        ],
        "failed_jobs": [dataclasses.asdict(job) for job in failed],
        "release": {key: publication.get(key) for key in ("remote", "commit", "skipped", "hint")},
        "unreleased": list(unreleased),
    }
    write_json(RECORD, record)


def _renamed(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome under the names that `registry status --json` uses."""
    return {{"name": "dataset", "size": "bytes"}.get(key, key): value for key, value in outcome.items()}


def _spelt(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
