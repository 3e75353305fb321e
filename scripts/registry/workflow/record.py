"""Write logs/run.json: what a run did, for CI, schedules and orchestrators. run.schema.yaml says what it holds."""

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from registry.config.schema import validate
from registry.errors import RegistryError
from registry.files import write_json
from registry.gate import read_json
from registry.storage.states import State
from registry.workflow.failures import FailedJob, breaches_of
from registry.workflow.summary import Outcome

RECORD = Path("logs", "run.json")
"""Below the folder of the run."""
SCHEMA = Path(__file__).with_name("run.schema.yaml")
RELEASED = ("state", "version", "tag", "previous", "level", "reasons", "hint", "against", "warnings", "alike")
"""What of an outcome of `registry publish` a dataset's release is told by."""
HELD_BACK = (State.SKIPPED, State.DAMAGED, State.BROKEN, State.REFUSED)
"""What may become of a dataset when it is to be released that leaves it built and not released."""


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
    released = _releases(publication)
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
        "release": _release(publication),
        "unreleased": list(unreleased),
    }
    write_json(RECORD, record)


def read_record(root: Path = Path()) -> dict[str, Any]:
    """Return what logs/run.json of the checkout at `root` says of the last run there. Raises RegistryError."""
    path = root / RECORD
    try:
        record = read_json(path.read_bytes(), where=RECORD)
    except (FileNotFoundError, NotADirectoryError):
        raise RegistryError("there is none: nothing has run here", where=RECORD, hint="registry run") from None
    validate(record, SCHEMA, where=str(RECORD), hint="registry run writes it anew")
    return record


def add_release(publication: Mapping[str, Any] | None, failed: str | None, root: Path = Path()) -> None:
    """Add to the record of the last run what a release after it came to: what `publication` says, or why it failed.

    Where there is no record, or one of a run that has not ended, which writes it down itself, nothing is written.
    Raises OSError.
    """
    try:
        record = read_record(root)
    except RegistryError:
        return
    if record["ending"] == Ending.RUNNING:
        return
    if publication is not None:
        released = _releases(publication)
        for one in record["datasets"]:
            one["release"] = released.get(one["dataset"], one["release"])
        settled = {name for name, one in released.items() if one["state"] not in HELD_BACK}
        record["release"] = _release(publication)
        record["unreleased"] = [name for name in record["unreleased"] if name not in settled]
        if record["ending"] == Ending.FAILED and _all_is_built(record):
            record |= {"ending": Ending.SUCCEEDED, "reason": None}
    if failed:
        record |= {"ending": Ending.FAILED, "reason": failed}
    write_json(root / RECORD, record | {"ended": _spelt(time.time())})


def _all_is_built(record: Mapping[str, Any]) -> bool:
    """Tell whether nothing but the release can be what failed."""
    states = {one["state"] for one in record["datasets"]}
    return bool(states) and not record["failed_jobs"] and not states & {"failed", State.BROKEN}


def _releases(publication: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return {dataset: what came of its release}."""
    outcomes = publication.get("outcomes", ())
    return {one["dataset"]: {key: one[key] for key in RELEASED if key in one} for one in outcomes}


def _release(publication: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of a release as a whole."""
    return {key: publication.get(key) for key in ("remote", "commit", "skipped", "hint")}


def _renamed(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome under the names that `registry status --json` uses."""
    return {{"name": "dataset", "size": "bytes"}.get(key, key): value for key, value in outcome.items()}


def _spelt(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
