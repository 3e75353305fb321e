"""Decide what to do with a dataset, and why: release it (under which number), record it, skip it or refuse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semver import Version

from registry.compare.semver import Change, Level, compare, next_version
from registry.config.load import read_yaml
from registry.config.pins import PIN
from registry.gate import GateError, checked_path, read_json, read_pointer
from registry.release.assess import (
    check_committed,
    check_configured,
    check_contract,
    check_first,
    config_files,
    readable_pin,
)
from registry.release.drifted import recorded_warnings
from registry.release.gates import check_gates, former_release, incomparable
from registry.release.lineage import keep_notes, name_source
from registry.release.record import Base
from registry.sources.raw import without_served_by
from registry.storage.damage import MissingDataError
from registry.storage.git import GitError
from registry.storage.repository import Repository
from registry.storage.snapshot import NoReleaseError, Snapshot
from registry.storage.states import NotReady, State
from registry.storage.tags import Numbers, Release, tag_name


@dataclass(frozen=True)
class Outcome:
    """What became of one dataset; `files` are what its release commits, `warnings` what its gates let pass.

    `against` is the tag of the release against which a gate refuses it, `alike` are rows because of which it does, and
    those of that release that they are like.
    """

    dataset: str
    state: State
    version: str | None = None
    tag: str | None = None
    previous: str | None = None
    level: str | None = None
    reasons: list[str] = field(default_factory=list)
    hint: str | None = None
    against: str | None = None
    files: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    alike: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """What is to become of a dataset, by which `changes`; `outdated` are files to remove with it."""

    built: Snapshot
    outcome: Outcome
    changes: list[Change]
    outdated: list[str] = field(default_factory=list)


def decide(
    repository: Repository,
    name: str,
    base: Base,
    every: Mapping[str, list[Release]],
    contained: Mapping[str, list[Release]],
    numbers: Numbers,
    planned: Mapping[str, tuple[str, str]],
    bump: Level | None,
) -> Plan:
    """Decide what is to become of a dataset. Raises NotReady where nothing is.

    `every` are all releases by dataset, `contained` those that HEAD contains, `numbers` those that are not free,
    `planned` the tag and the content_hash of what is about to be released.
    """
    newest = every[name][-1] if name in every else None
    behind = newest is not None and newest not in contained.get(name, [])
    pin = readable_pin(repository.root, name)
    if pin:
        raise NotReady(State.PINNED, f"at version {pin['version']}", f"registry unpin {name} removes the pin")
    datasets = repository.committed_datasets(base.commit)
    check_configured(name, datasets)
    built = Snapshot.on_disk(repository.root, name, hashes=True)
    _check_places(repository, built)
    check_contract(built)
    built = name_source(repository, built, contained, planned)
    git, commit = repository.git, base.commit
    built = keep_notes(repository, built, commit)
    previous = str(newest.version) if newest else None
    files = _files(repository, built, commit)
    theirs = git.differing(base.head, commit, files) if commit != base.head else []
    if behind or theirs:
        what = f"{newest.tag} is released, and not part of it" if behind else f"{min(theirs)} is newer on origin"
        raise NotReady(
            State.REFUSED if git.changed(base.head, files) else State.BEHIND,
            f"this checkout is behind: {what}",
            "registry follow takes it over and leaves what is built here; then registry publish "
            f"{name} releases that, or registry pull --force {name} takes what was released",
        )
    if newest is None:
        check_first(repository, built, commit)
    changed = git.changed(commit, [file for file in files if not file.endswith(".dvc")])
    changed += _moved(repository, built, commit)
    aliases = datasets.aliases.get(name, [])
    changes, warnings, before = [], recorded_warnings(built), None
    if last := newest or former_release(contained, aliases):
        before = _released(repository, last)
    if newest:
        config = datasets.get(name, {})
        try:
            changes = compare(before, built, config.get("versioning", "fixed"))
        except GateError as error:
            raise incomparable(newest.tag, error) from None
        except MissingDataError as error:
            reason = f"it cannot be compared with {newest.tag}: {error.what}"
            hint = f"whoever has its data: registry push REMOTE --repair; if nobody has: git tag --delete {newest.tag}"
            raise NotReady(State.REFUSED, reason, hint) from None
        _refuse_samples(name, before.provenance, built, repository)
    if changes or not newest:
        warnings += check_gates(repository, built, before, contained, aliases)
    outdated = _outdated_raw(repository, built, commit)
    if newest and not changes and not set(changed) - set(config_files(repository, built, commit)):
        return Plan(built, Outcome(name, State.UNCHANGED, previous, newest.tag), [])
    check_committed(repository, built, commit)
    _check_ignored(repository, built)
    if newest and not changes:
        reasons = ["made by other code or libraries, the data is the same"]
        files = sorted([*changed, *outdated])
        return Plan(
            built, Outcome(name, State.RECORDED, previous, newest.tag, reasons=reasons, files=files), [], outdated
        )
    level = changes[0].level if changes else None
    latest = newest.version if newest else None
    version = free_version(numbers, name, aliases, latest, level or Level.PATCH, bump)
    outcome = Outcome(
        name,
        State.RELEASED,
        str(version),
        tag_name(name, version),
        previous,
        _named(newest.version if newest else None, version),
        [change.reason for change in changes] or ["first release"],
        files=sorted([*changed, *outdated, *built.added]),
        warnings=warnings,
    )
    return Plan(built, outcome, changes, outdated)


def _check_places(repository: Repository, built: Snapshot) -> None:
    """Check that nothing that DVC is to add is a link, or behind one: it takes no such data. Raises NotReady."""
    places = {place.as_posix() for out in built.outs for place in (Path(out), *Path(out).parents)}
    for place in sorted(places):
        if (repository.root / place).is_symlink():
            hint = "put what it leads to in its place (a larger disk can be mounted there), then registry publish"
            raise NotReady(State.SKIPPED, f"{place} is a link, and DVC takes no data behind one", hint)


def _check_ignored(repository: Repository, built: Snapshot) -> None:
    """Check that git does not ignore the .dvc files that a release commits: DVC then writes none. Raises NotReady."""
    for path, rule in repository.git.ignored(f"{out}.dvc" for out in built.outs).items():
        raise NotReady(State.SKIPPED, f"git ignores {path}: {rule}", "take that line out, then registry publish")


def free_version(
    numbers: Numbers,
    name: str,
    aliases: Sequence[str],
    latest: Version | None,
    level: Level,
    bump: Level | None = None,
) -> Version:
    """Return the next number that no tag of a dataset or its aliases has, not even one that is no release.

    It is above those that one of these names had for another dataset: who asks that for the latest gets this. What they
    held is not compared, so that the first release after a change of names is MAJOR.
    """
    former = [version for each in (name, *aliases) for version in numbers.called.get(each, [])]
    if former and (latest is None or max(former) > latest):
        latest, level = max(former), Level.MAJOR
    taken = {version for each in (name, *aliases) for version in numbers.odd.get(each, [])}
    version = next_version(latest, level, bump)
    while version in taken:
        version = next_version(version, level, bump)
    return version


def _released(repository: Repository, release: Release) -> Snapshot:
    """Return what a release holds. Raises NotReady where its tag is not one that a publish made."""
    try:
        return Snapshot.at(repository, release.dataset, release.commit, release.tag)
    except (NoReleaseError, GateError, GitError) as error:
        reason = f"the newest version cannot be trusted: {error.what}"
        if isinstance(error, NoReleaseError):
            reason = f"the tag {release.tag} holds no release of {release.dataset}"
        raise NotReady(State.REFUSED, reason, f"if nobody relies on it: git tag --delete {release.tag}") from None


def _named(old: Version | None, new: Version) -> str | None:
    """Return which part of the number went up."""
    if old is None:
        return None
    return "MAJOR" if new.major > old.major else "MINOR" if new.minor > old.minor else "PATCH"


def _files(repository: Repository, built: Snapshot, base: str) -> list[str]:
    """Return what git tracks of a dataset's release: .dvc files, descriptions, reports, its own configuration."""
    kept = [f"{built.folder}/{name}" for name in ("metadata.json", "provenance.json")]
    kept += repository.git.visible(f"reports/{built.dataset}") + config_files(repository, built, base)
    unpinned = [path for path in repository.git.listed(base, built.folder) if path.endswith(f"/{PIN}")]
    return [checked_path(path, where=built.name) for path in (*(f"{out}.dvc" for out in built.outs), *kept, *unpinned)]


def _moved(repository: Repository, built: Snapshot, base: str) -> list[str]:
    """Return the .dvc files that a commit does not have as the data on disk asks for."""
    committed = repository.git.read(base, [f"{out}.dvc" for out in built.outs])
    return [f"{out}.dvc" for out, md5 in built.outs.items() if _pointed(committed.get(f"{out}.dvc"), out) != md5]


def _pointed(content: bytes | None, out: str) -> str | None:
    """Return the md5 in a .dvc file; None where there is no such file, or it is not one of this output."""
    try:
        return None if content is None else read_pointer(content, out.rpartition("/")[2], where=out)
    except GateError:
        return None


def _outdated_raw(repository: Repository, built: Snapshot, base: str) -> list[str]:
    """Return the raw.dvc of a commit where raw/ is not here to replace it and the data was made of other sources."""
    pointer, provenance = f"{built.folder}/raw.dvc", f"{built.folder}/provenance.json"
    committed = repository.git.read(base, [pointer, provenance])
    if f"{built.folder}/raw" in built.outs or committed.keys() < {pointer, provenance}:
        return []
    try:
        before = read_json(committed[provenance], where=provenance)["source"]
        same = without_served_by(before) == without_served_by(built.provenance["source"])
    except (GateError, KeyError, TypeError):
        same = False
    return [] if same else [pointer]


def _refuse_samples(name: str, before: dict, built: Snapshot, repository: Repository) -> None:
    """Refuse to follow full data by samples unless the dataset's own file asks for them. Raises NotReady."""
    was, now = before["source"]["mode"], built.provenance["source"]["mode"]
    path = f"config/datasets/{name}.yaml"
    if now == "samples" and was in ("mirror", "upstream", "stream") and not _chosen(repository, path):
        raise NotReady(
            State.REFUSED,
            f"the newest release was built from {was}, this from samples",
            f"set source in config/config.yaml and build again; if samples are meant, set source: samples in {path}",
        )


def _chosen(repository: Repository, path: str) -> bool:
    return read_yaml(repository.root / path).get("source") == "samples"
