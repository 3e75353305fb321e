"""Decide what is to become of a dataset: released under which number, recorded, left alone or refused, and why."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from semver import Version

from registry.compare.semver import Change, Level, compare, next_version
from registry.config.pins import PIN, pin_of
from registry.release.assess import (
    Built,
    NotReady,
    config_files,
    contract_passed,
    made_of_what_is_committed,
    read_built,
)
from registry.release.lineage import name_source
from registry.release.record import Tip
from registry.storage.repository import Repository
from registry.storage.snapshot import NoReleaseError, Snapshot, dvc_md5, snapshot_at
from registry.storage.tags import Release, tag_name


@dataclass(frozen=True)
class Outcome:
    """What became of one dataset.

    `state` is released, recorded (committed without a new version), unchanged, skipped, refused, behind (unchanged
    here, released anew elsewhere), pinned, incomplete, damaged, or not built; `files` are what its release commits.
    """

    dataset: str
    state: str
    version: str | None = None
    tag: str | None = None
    previous: str | None = None
    level: str | None = None
    reasons: list[str] = field(default_factory=list)
    hint: str | None = None
    files: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """What is to become of a dataset, by which `changes`; `outdated` are files to remove with it."""

    built: Built
    outcome: Outcome
    changes: list[Change]
    outdated: list[str] = field(default_factory=list)


def decide(
    repository: Repository,
    name: str,
    tip: Tip,
    every: Mapping[str, list[Release]],
    contained: Mapping[str, list[Release]],
    planned: Mapping[str, tuple[str, str]],
    bump: Level | None,
) -> Plan:
    """Decide what is to become of a dataset. Raises NotReady where nothing is.

    `every` are all releases by dataset, `contained` those that HEAD contains, `planned` the tag and the content_hash of
    what is about to be released.
    """
    newest = every[name][-1] if name in every else None
    # If what lies here is that very release, a publish was killed between origin's yes and the local branch.
    behind = newest is not None and newest not in contained.get(name, [])
    pin = pin_of(repository.root, name)
    if pin:
        raise NotReady("pinned", f"at version {pin['version']}", f"registry release {name} takes the pin away")
    built = read_built(repository.root, name)
    contract_passed(built)
    built = name_source(repository, built, contained, planned)
    git, base = repository.git, tip.base
    previous = str(newest.version) if newest else None
    files = _files(repository, built, base)
    # What origin changed must lie here as it is there: so it does where a publish was killed after origin's yes.
    theirs = set(git.differing(tip.head, base, files)) & set(git.changed(base, files)) if base != tip.head else ()
    if theirs or (behind and git.changed(newest.commit, files)):
        what = f"{newest.tag} is released, and not part of it" if behind else f"{min(theirs)} is newer on origin"
        raise NotReady(
            "refused" if git.changed(tip.head, files) else "behind",
            f"this checkout is behind: {what}",
            "git pull, run registry pull or snakemake, then registry publish",
        )
    if behind:
        return Plan(built, Outcome(name, "unchanged", previous, newest.tag), [])
    changed = git.changed(base, [file for file in files if not file.endswith(".dvc")]) + _moved(repository, built, base)
    changes = []
    if newest:
        config = repository.committed_datasets(base).get(name, {})
        before = _released(repository, newest)
        changes = compare(before, built.snapshot, config.get("versioning", "fixed"))
        _refuse_samples(name, before.provenance, built, repository)
    outdated = _outdated_raw(repository, built, base)
    if newest and not changes and not set(changed) - set(config_files(repository, built)):
        return Plan(built, Outcome(name, "unchanged", previous, newest.tag), [])
    made_of_what_is_committed(repository, built, base)
    if newest and not changes:
        reasons = ["made by other code or libraries, the data is the same"]
        files = sorted([*changed, *outdated])
        return Plan(built, Outcome(name, "recorded", previous, newest.tag, reasons=reasons, files=files), [], outdated)
    level = changes[0].level if changes else None
    version = next_version(newest.version if newest else None, level or Level.PATCH, bump)
    outcome = Outcome(
        name,
        "released",
        str(version),
        tag_name(name, version),
        previous,
        _named(newest.version if newest else None, version),
        [change.reason for change in changes] or ["first release"],
        files=sorted([*changed, *outdated]),
    )
    return Plan(built, outcome, changes, outdated)


def _released(repository: Repository, release: Release) -> Snapshot:
    """Return what a release holds. Raises NotReady where its tag is none that a publish made."""
    try:
        return snapshot_at(repository.git, repository.store, release.dataset, release.tag)
    except NoReleaseError:
        raise NotReady(
            "refused",
            f"the tag {release.tag} holds no release of {release.dataset}",
            f"if nobody relies on it: git tag --delete {release.tag}",
        ) from None


def _named(old: Version | None, new: Version) -> str | None:
    """Return which part of the number went up."""
    if old is None:
        return None
    return "MAJOR" if new.major > old.major else "MINOR" if new.minor > old.minor else "PATCH"


def _files(repository: Repository, built: Built, base: str) -> list[str]:
    """Return what git tracks of a dataset's release: .dvc files, descriptions, reports, its own configuration."""
    kept = [f"{built.folder}/{name}" for name in ("metadata.json", "provenance.json")]
    kept += repository.git.visible(f"reports/{built.name}") + config_files(repository, built)
    unpinned = [path for path in repository.git.listed(base, built.folder) if path.endswith(f"/{PIN}")]
    return [*(f"{out}.dvc" for out in built.outs), *kept, *unpinned]


def unfinished_files(repository: Repository, built: Built, tip: Tip) -> list[str]:
    """Return the files that lie here as origin has them and HEAD does not: a publish was killed after origin's yes."""
    files = _files(repository, built, tip.base)
    return sorted(set(repository.git.changed(tip.head, files)) - set(repository.git.changed(tip.base, files)))


def _moved(repository: Repository, built: Built, base: str) -> list[str]:
    """Return the .dvc files that a commit does not have as the data on disk asks for."""
    committed = repository.git.read(base, [f"{out}.dvc" for out in built.outs])
    return [
        f"{out}.dvc"
        for out, md5 in built.outs.items()
        if f"{out}.dvc" not in committed or dvc_md5(committed[f"{out}.dvc"]) != md5
    ]


def _outdated_raw(repository: Repository, built: Built, base: str) -> list[str]:
    """Return the raw.dvc of a commit where raw/ is not here to replace it and the data was made of other sources."""
    pointer, provenance = f"{built.folder}/raw.dvc", f"{built.folder}/provenance.json"
    committed = repository.git.read(base, [pointer, provenance])
    if f"{built.folder}/raw" in built.outs or committed.keys() < {pointer, provenance}:
        return []
    same = json.loads(committed[provenance])["source"] == built.snapshot.provenance["source"]
    return [] if same else [pointer]


def _refuse_samples(name: str, before: dict, built: Built, repository: Repository) -> None:
    """Refuse to follow full data by samples unless the dataset's own file asks for them. Raises NotReady."""
    was, now = before["source"]["mode"], built.snapshot.provenance["source"]["mode"]
    path = f"config/datasets/{name}.yaml"
    if now == "samples" and was in ("mirror", "upstream") and not _chosen(repository, path):
        raise NotReady(
            "refused",
            f"the newest release was built from {was}, this from samples",
            f"set source in config/config.yaml and build again; if samples are meant, set source: samples in {path}",
        )


def _chosen(repository: Repository, path: str) -> bool:
    from registry.config.load import read_yaml

    return read_yaml(repository.root / path).get("source") == "samples"
