"""Say what would become of a dataset with its sources as they are now, before anything here follows them."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from registry.compare.diff import DatasetDiff, diff
from registry.compare.semver import NAMED, Level, judge
from registry.config.load import SAMPLES, Datasets, read_yaml, source_name
from registry.release.drifted import recorded_warnings
from registry.release.gates import check_gates, former_release
from registry.release.plan import free_version
from registry.sources.fetch import KEPT
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady
from registry.storage.tags import Release, numbers, releases
from registry.trace.apart import build_apart
from registry.workflow.record import RECORD

CODE = ("config", "envs", "scripts", "workflow", f"{SAMPLES}/SHA256SUMS")
"""What of a checkout a build takes that does not read samples."""

REPORT = re.compile(r"see what was left out in reports/[^/\s]+/cleaning\.json; ")
"""In the message of a job, a pointer to what is in the folder of its build."""


@dataclass(frozen=True)
class Preview:
    """What would become of a dataset with its sources as they are now.

    `sources` are those that are not what is accepted: their sha256 before, and now. `before` is the newest version,
    `after` the one that would be released, None where the data stays the same; `level` and `reasons` say why. `diff`
    compares with that version or, where none is released, with what is built here. `warnings` are what the release
    would warn of, such as drift, and `refused` is why it would not be made. `failure` is what the build says where it
    can make nothing of them; then there is no more than that.
    """

    dataset: str
    sources: dict[str, tuple[str, str]]
    before: str | None
    after: str | None = None
    level: str | None = None
    reasons: list[str] = field(default_factory=list)
    diff: DatasetDiff | None = None
    warnings: list[str] = field(default_factory=list)
    refused: str | None = None
    failure: str | None = None


def preview(
    repository: Repository,
    datasets: Datasets,
    name: str,
    now: Mapping[str, Mapping[str, Any]],
    changed: Mapping[str, tuple[str, str]],
    folder: Path,
    *,
    cores: str,
    say: Callable[[str], None],
) -> Preview:
    """Build a dataset in a new folder from what was just fetched of it, `now`, and compare it with its newest version.

    `changed` are the sources that are not what is accepted. Datasets that are made of it are not looked at. Raises
    RegistryError where that version cannot be read.
    """
    newest = (releases(repository.git).get(name) or [None])[-1]
    before = str(newest.version) if newest else None
    _lay_out(repository, folder, name, now)
    say(f"building {name} of its sources as they are now, in {folder.relative_to(repository.root)}")
    code, printed = build_apart(folder, name, {}, cores=cores, say=say)
    if code:
        return Preview(name, dict(changed), before, failure=_said(folder) or printed)
    try:
        built = Snapshot.on_disk(folder, name)
    except NotReady as state:
        return Preview(name, dict(changed), before, failure=state.reason)
    old = _compared_with(repository, name, newest)
    found = diff(old, built, examples=NAMED) if old else None
    changes = judge(found, datasets[name].get("versioning", "fixed")) if newest else []
    if newest and not changes:
        return Preview(name, dict(changed), before, diff=found)
    warnings, refused, aliases = recorded_warnings(built), None, datasets.aliases.get(name, [])
    try:
        contained = releases(repository.git, merged="HEAD")
        last = old if newest else None
        if not newest and (former := former_release(contained, aliases)):
            last = Snapshot.at(repository, former.dataset, former.commit, former.tag)
        warnings += check_gates(repository, built, last, contained, aliases)
    except NotReady as state:
        refused = state.reason
    level, latest = (changes[0].level, newest.version) if newest else (Level.PATCH, None)
    version = free_version(numbers(repository.git), name, aliases, latest, level)
    reasons = [change.reason for change in changes] or ["first release"]
    kind = level.name if newest else None
    return Preview(name, dict(changed), before, str(version), kind, reasons, found, warnings, refused)


def _lay_out(repository: Repository, folder: Path, name: str, now: Mapping[str, Mapping[str, Any]]) -> None:
    """Write code and configuration into a new folder, which accepts what was just fetched, and takes that."""
    root = repository.root
    for path in repository.git.visible(*CODE):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / path, folder / path)
    (folder / KEPT).parent.symlink_to((root / KEPT).parent)
    description = folder / "config" / "datasets" / f"{name}.yaml"
    dataset = read_yaml(description)
    for source in dataset["sources"]["files"]:
        source["accept"] = [{"sha256": now[source_name(source)]["sha256"], "note": "as it is now"}]
        if not source.get("copy", True):
            source["urls"] = [str(root / url) for url in source["urls"]]
    description.write_text(yaml.safe_dump(dataset, default_flow_style=True, sort_keys=False), encoding="utf-8")


def _said(folder: Path) -> str | None:
    """Return what the jobs of a build that failed have said last, if they have; no report, which goes with it."""
    if not (record := folder / RECORD).is_file():
        return None
    failed = json.loads(record.read_text(encoding="utf-8"))["failed_jobs"]
    return "\n".join(REPORT.sub("", job["message"]) for job in failed if job["message"]) or None


def _compared_with(repository: Repository, name: str, newest: Release | None) -> Snapshot | None:
    if newest:
        return Snapshot.at(repository, name, newest.commit, newest.tag)
    try:
        return Snapshot.on_disk(repository.root, name, quick=True)
    except NotReady:
        return None
