"""What the record of a run comes to: whether all went well, and which datasets are not released, and why."""

from collections.abc import Mapping
from typing import Any

from registry.storage.states import State
from registry.workflow.hook import PUBLISH_OFF, SKIPPED
from registry.workflow.record import HELD_BACK, Ending

FAILED = 1
"""Exit code of a run that failed, was stopped or killed, or of which something was refused a release."""
WELL = (Ending.SUCCEEDED, Ending.NOTHING_TO_DO)


def exit_code(record: Mapping[str, Any]) -> int:
    """Return 0 where all that a run built is released or nothing was to be, FAILED, or SKIPPED.

    `record` is the content of logs/run.json.
    """
    states = {one["release"]["state"] for one in record["datasets"] if one["release"]}
    if record["ending"] not in WELL or State.REFUSED in states:
        return FAILED
    skipped = record["release"]["skipped"]
    if states & {*HELD_BACK} or record["unreleased"] or (skipped and skipped != PUBLISH_OFF):
        return SKIPPED
    return 0


def held_back(record: Mapping[str, Any]) -> dict[str, str]:
    """Return {dataset: why} of those that are not released as they are built, and what to do."""
    found = dict.fromkeys(record["unreleased"], "built by an earlier run; registry publish")
    for one in record["datasets"]:
        if (release := one["release"]) and release["state"] in HELD_BACK:
            found[one["dataset"]] = _and_what_to_do("; ".join(release["reasons"]), release["hint"])
    return found


def remarks(record: Mapping[str, Any]) -> list[str]:
    """Return what there is to say of a run as a whole: why it did not succeed, and why nothing could be released."""
    release = record["release"]
    said = [record["reason"]] if record["reason"] else []
    if record["ending"] == Ending.RUNNING:
        said.append("it runs, or it was killed: run the same command again")
    if release["skipped"] == PUBLISH_OFF:
        said.append(PUBLISH_OFF)
    elif release["skipped"]:
        said.append(_and_what_to_do(f"nothing is released: {release['skipped']}", release["hint"]))
    return said


def _and_what_to_do(what: str, hint: str | None) -> str:
    return f"{what}; {hint}" if hint else what
