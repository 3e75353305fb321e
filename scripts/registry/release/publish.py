"""Release what is built: data to a DVC remote, one commit, one annotated tag per dataset that changed.

Run it as often as you like: what is released stays, what was interrupted is completed, the same data makes nothing.
    1  the contract's recorded verdict is checked
    2  data goes into DVC's cache
    3  and to the remote
    4  a commit is made as an object; with `push`, origin is offered it together with the tags
    5  branch and tags appear in one transaction
Until the last step nobody sees a release, and by then its data can be fetched.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from semver import Version

from registry.errors import RegistryError
from registry.pins import PIN, pin_of
from registry.release.readiness import (
    Built,
    NotReady,
    config_files,
    contract_passed,
    made_of_what_is_committed,
    read_built,
)
from registry.release.record import Tip, attempt, blocked, follow, record
from registry.release.remotes import release_remote
from registry.release.repository import Repository
from registry.release.snapshot import NoReleaseError, Snapshot, dvc_md5, snapshot_at
from registry.release.tags import Release, releases, tag_message, tag_name
from registry.release.versions import Change, Level, compare, next_version

NAMED = 3
"""As many datasets fit into the first line of a commit's message."""


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
class Publication:
    """What one call of publish did; `skipped` says why nothing can be released from here at all."""

    outcomes: list[Outcome]
    remote: str | None = None
    commit: str | None = None
    dry_run: bool = False
    skipped: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class _Plan:
    """What is to become of a dataset; `outdated` are files to remove with it."""

    built: Built
    outcome: Outcome
    changes: list[Change]
    outdated: list[str] = field(default_factory=list)


def publish(
    repository: Repository,
    datasets: Sequence[str] = (),
    *,
    dry_run: bool = False,
    bump: Level | None = None,
    say: Callable[[str], None] = print,
) -> Publication:
    """Release the complete datasets that changed: those named, else all.

    `bump` raises the number, `say` takes lines about waiting. Raises RegistryError.
    """
    reason_not = blocked(repository)
    if reason_not:
        return Publication([], dry_run=dry_run, skipped=reason_not[0], hint=reason_not[1])
    unknown = sorted(set(datasets) - set(repository.names()))
    if unknown:
        raise RegistryError(
            f"there is no dataset {', '.join(unknown)}", hint=f"choose from: {', '.join(repository.names())}"
        )
    names = list(dict.fromkeys(datasets)) or repository.names()
    return attempt(repository, lambda tip: _publish(repository, tip, names, dry_run, bump), say)


def _publish(repository: Repository, tip: Tip, names: Sequence[str], dry_run: bool, bump: Level | None) -> Publication:
    every, contained = releases(repository.git), releases(repository.git, merged=tip.head)
    plans: list[_Plan] = []
    outcomes: list[Outcome] = []
    unfinished: list[str] = []
    for name in names:
        newest = every[name][-1] if name in every else None
        behind = newest is not None and newest not in contained.get(name, [])
        try:
            plan = _plan(repository, name, tip, newest, behind, bump)
            if plan.outcome.state == "unchanged" and tip.base != tip.head:
                unfinished += _unfinished(repository, plan.built, tip)
        except NotReady as state:
            outcomes.append(Outcome(name, state.state, reasons=[state.reason], hint=state.hint))
            continue
        outcomes.append(plan.outcome)
        if plan.outcome.state in ("released", "recorded"):
            plans.append(plan)
    remote = release_remote(repository, tip.base)
    if dry_run:
        return Publication(outcomes, remote, dry_run=True)
    if not plans:
        if unfinished:
            follow(repository, tip, tip.base, unfinished)
        return Publication(outcomes, remote)
    _store(repository, plans, remote)
    for path in [path for plan in plans for path in plan.outdated]:
        (repository.root / path).unlink(missing_ok=True)
    files = [file for plan in plans for file in plan.outcome.files]
    tags = {plan.outcome.tag: _tag_message(plan) for plan in plans if plan.outcome.state == "released"}
    commit = record(
        repository,
        tip,
        files,
        _commit_message(plans),
        tags,
        present=unfinished,
        check=lambda made: _as_planned(repository, made, plans),
    )
    return Publication(outcomes, remote, commit)


def _plan(
    repository: Repository, name: str, tip: Tip, newest: Release | None, behind: bool, bump: Level | None
) -> _Plan:
    """Decide what is to become of a dataset. Raises NotReady where nothing is.

    `behind` tells that HEAD does not contain the newest release. If what lies here is that very release, a publish was
    killed between origin's yes and the local branch.
    """
    pin = pin_of(repository.root, name)
    if pin:
        raise NotReady("pinned", f"at version {pin['version']}", f"registry release {name} takes the pin away")
    built = read_built(repository.root, name)
    contract_passed(built)
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
        return _Plan(built, Outcome(name, "unchanged", previous, newest.tag), [])
    changed = git.changed(base, [file for file in files if not file.endswith(".dvc")]) + _moved(repository, built, base)
    changes = []
    if newest:
        config = repository.committed_datasets(base).get(name, {})
        before = _released(repository, newest)
        changes = compare(before, built.snapshot, config.get("versioning", "fixed"))
        _refuse_samples(name, before.provenance, built, repository)
    outdated = _outdated_raw(repository, built, base)
    if newest and not changes and not set(changed) - set(config_files(repository, built)):
        return _Plan(built, Outcome(name, "unchanged", previous, newest.tag), [])
    made_of_what_is_committed(repository, built, base)
    if newest and not changes:
        reasons = ["made by other code or libraries, the data is the same"]
        files = sorted([*changed, *outdated])
        return _Plan(built, Outcome(name, "recorded", previous, newest.tag, reasons=reasons, files=files), [], outdated)
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
    return _Plan(built, outcome, changes, outdated)


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


def _unfinished(repository: Repository, built: Built, tip: Tip) -> list[str]:
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
    from registry.config import read_yaml

    return read_yaml(repository.root / path).get("source") == "samples"


def _store(repository: Repository, plans: list[_Plan], remote: str) -> None:
    """Put the data of these datasets into the cache and the remote."""
    outs = {out: md5 for plan in plans for out, md5 in plan.built.outs.items()}
    stored = repository.store.add(outs)
    moved = [out for out, md5 in outs.items() if stored[out] != md5]
    if moved:
        raise RegistryError("changed while it was being released", where=moved[0], hint="run registry publish again")
    repository.store.push(stored.values(), remote)


def _as_planned(repository: Repository, commit: str, plans: list[_Plan]) -> None:
    """Check that a commit describes the data that was stored, though others may write here. Raises RegistryError."""
    for built in (plan.built for plan in plans):
        paths = [
            f"{built.folder}/metadata.json",
            f"{built.folder}/provenance.json",
            *(f"{out}.dvc" for out in built.outs),
        ]
        files = repository.git.read(commit, paths)
        found = [json.loads(files[path]) if path.endswith(".json") else dvc_md5(files[path]) for path in paths]
        if found != [built.snapshot.metadata, built.snapshot.provenance, *built.outs.values()]:
            raise RegistryError(
                "changed while it was being released", where=built.folder, hint="run registry publish again"
            )


def _commit_message(plans: list[_Plan]) -> str:
    released = [f"{plan.outcome.dataset} {plan.outcome.version}" for plan in plans if plan.outcome.state == "released"]
    names = ", ".join(plan.outcome.dataset for plan in plans)
    if len(released) > NAMED:
        subject = f"Release {len(released)} datasets"
    else:
        subject = f"Release {', '.join(released)}" if released else f"Record how {names} came to be"
    return f"{subject}\n\n" + "\n".join(_entry(plan.outcome) for plan in plans) + "\n"


def _entry(outcome: Outcome) -> str:
    lines = [f"- {reason}" for reason in outcome.reasons]
    return "\n".join([f"{outcome.dataset} {outcome.version or ''}".rstrip() + ":", *lines])


def _tag_message(plan: _Plan) -> str:
    changes = [f"{change.level.name}: {change.reason}" for change in plan.changes] or plan.outcome.reasons
    return tag_message(plan.outcome.version, changes, plan.built.snapshot)
