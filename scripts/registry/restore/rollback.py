"""Go back to an older version of a dataset, and return: pins, and old content under a new number.

Data, descriptions and .dvc files come from the version's tag; code and configuration stay. The pin comes first, so that
whatever happens next, nothing is built or released from files of two versions; the commit comes last.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from registry.compare.semver import compare, next_version
from registry.config.pins import PIN, pin_of
from registry.errors import RegistryError
from registry.files import data_files, write_json
from registry.release.plan import Outcome
from registry.release.publish import Publication
from registry.release.record import Tip, alone, attempt, blocked, follow, record
from registry.restore.pull import (
    Restored,
    State,
    differing,
    no_run_under_way,
    put,
    restore,
    some,
    state_at,
    unsaved,
)
from registry.storage.git import Git
from registry.storage.remotes import release_remote
from registry.storage.repository import Repository
from registry.storage.snapshot import snapshot_at
from registry.storage.tags import RESTORED, Release, find_release, releases, tag_message, tag_name


@dataclass(frozen=True)
class RolledBack:
    """A dataset that is pinned now.

    `commit` is None where nothing had to be committed, or nothing could be; `uncommitted` says why not.
    """

    dataset: str
    version: str
    tag: str
    changed: bool
    commit: str | None = None
    uncommitted: str | None = None


def rollback(
    repository: Repository,
    dataset: str,
    version: str,
    *,
    reason: str | None = None,
    remote: str | None = None,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> RolledBack:
    """Restore a version of a dataset and pin it there; `reason` is kept with the pin.

    `remote` names where data is fetched, `force` overwrites unpublished work. Raises RegistryError.
    """
    release = find_release(repository.git, dataset, version)
    pin = {"version": str(release.version), "tag": release.tag} | ({"reason": reason} if reason else {})
    before = pin_of(repository.root, dataset)
    if before and before["tag"] == release.tag and reason is None:
        pin = before
    message = f"Roll {dataset} back to {release.version}\n\n{reason or ''}".rstrip() + "\n"
    state = _released(repository.git, release)

    def place(base: str) -> list[str]:
        return _place(repository, state, pin, base, remote=remote, force=force)

    commit, not_committed, changed = _record(repository, place, message, say)
    return RolledBack(dataset, str(release.version), release.tag, changed or pin != before, commit, not_committed)


def unpin(
    repository: Repository,
    dataset: str,
    *,
    remote: str | None = None,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> tuple[Restored, str | None]:
    """Take the pin away, restore the newest version that this checkout contains, and let Snakemake compare again.

    Returns what became of it, and why that is not committed, if it is not. Raises RegistryError.
    """
    git = repository.git
    if not pin_of(repository.root, dataset) and not git.read("HEAD", [f"data/{dataset}/{PIN}"]):
        raise RegistryError(
            f"{dataset} is not pinned", hint=f"registry pull {dataset} restores what this checkout holds of it"
        )
    states: list[State] = []

    def place(base: str) -> list[str]:
        contained = releases(git, merged=base).get(dataset)
        if not contained:
            raise RegistryError(f"this checkout contains no release of {dataset}", hint="git pull")
        states[:] = [_newest(git, contained[-1], base)]
        return _place(repository, states[0], None, base, remote=remote, force=force)

    message = f"Release {dataset} from its pin\n"
    _, not_committed, changed = _record(repository, place, message, say)
    with alone(repository, say):
        done = restore(repository, states, remote=remote, force=force)[0]
    return replace(done, state="restored") if changed else done, not_committed


def publish_from(
    repository: Repository,
    dataset: str,
    version: str,
    reason: str,
    *,
    dry_run: bool = False,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> Publication:
    """Release the content of an older version under a new number, which clients then take for the latest, and pin it.

    Raises RegistryError.
    """
    reason_not = blocked(repository)
    if reason_not:
        return Publication([], dry_run=dry_run, skipped=reason_not[0], hint=reason_not[1])
    old = find_release(repository.git, dataset, version)
    return attempt(repository, lambda tip: _publish_from(repository, tip, old, reason, dry_run, force), say)


def _publish_from(
    repository: Repository, tip: Tip, old: Release, reason: str, dry_run: bool, force: bool
) -> Publication:
    git, name = repository.git, old.dataset
    newest = releases(git)[name][-1]
    if newest not in releases(git, merged=tip.base).get(name, []):
        raise RegistryError(
            f"this checkout is behind: {newest.tag} is released, and not part of it", hint="git pull, and try again"
        )
    config = repository.committed_datasets(tip.base).get(name, {})
    snapshots = [snapshot_at(git, repository.store, name, release.tag) for release in (newest, old)]
    changes = compare(*snapshots, config.get("versioning", "fixed"))
    remote = release_remote(repository, tip.base)
    if not changes:
        reasons = [f"{newest.version} holds the content of {old.version} already"]
        outcome = Outcome(name, "unchanged", str(newest.version), newest.tag, reasons=reasons)
        if tip.base != tip.head and not dry_run:
            # A command like this one was killed after origin's yes.
            pins = git.read(tip.base, [f"data/{name}/{PIN}"]).values()
            pin = json.loads(*pins) if pins else None
            follow(
                repository,
                tip,
                tip.base,
                _place(repository, _newest(git, newest, tip.base), pin, tip.base, force=force),
            )
        return Publication([outcome], remote, dry_run=dry_run)
    number = next_version(newest.version, changes[0].level)
    tag = tag_name(name, number)
    reasons = [f"{RESTORED}{old.version}", f"reason: {reason}", *(change.reason for change in changes)]
    outcome = Outcome(name, "released", str(number), tag, str(newest.version), changes[0].level.name, reasons)
    state = _released(git, old)
    pin = {"version": str(number), "tag": tag, "reason": reason}
    if dry_run:
        return Publication([outcome], remote, dry_run=True)
    no_run_under_way(repository)
    repository.store.fetch(state.outs.values())
    repository.store.push(state.outs.values(), remote)
    files = _place(repository, state, pin, tip.base, force=force)
    levels = [f"{change.level.name}: {change.reason}" for change in changes]
    text = tag_message(number, [*reasons[:2], *levels], snapshots[1])
    message = f"Release {name} {number}: the content of {old.version}\n\n{reason}\n"
    commit = record(repository, tip, files, message, {tag: text})
    return Publication([outcome], remote, commit)


def _released(git: Git, release: Release) -> State:
    state = state_at(git, release.dataset, release.tag)
    if state is None:
        raise RegistryError(f"{release.tag} holds no release of {release.dataset}", hint="choose another version")
    return state


def _newest(git: Git, release: Release, base: str) -> State:
    """Return the newest state of a release: other code may have made the same data since, which makes no version."""
    state = _released(git, release)
    path = f"data/{release.dataset}/provenance.json"
    for commit in git.run("log", "--format=%H", f"{release.commit}..{base}", "--", path).split():
        since = state_at(git, release.dataset, commit)
        if since and (since.data, since.metadata) == (state.data, state.metadata):
            return since
    return state


def _place(
    repository: Repository,
    state: State,
    pin: dict[str, Any] | None,
    base: str,
    *,
    remote: str | None = None,
    force: bool = False,
) -> list[str]:
    """Bring the working tree to a state of a dataset and its pin; return the files in which a commit may differ.

    raw/ and reports of another version go. RegistryError where unpublished work would.
    """
    no_run_under_way(repository)
    root, git = repository.root, repository.git
    wrong = differing(repository, state.data)
    raw = (
        [state.raw]
        if (root / state.raw).exists() and differing(repository, {state.raw: state.outs.get(state.raw)})
        else []
    )
    lost = [] if force else unsaved(repository, state, [*wrong, *raw])
    if lost:
        raise RegistryError(
            f"unpublished work would be lost: {some(lost)}",
            hint=f"registry publish {state.dataset}, or use --force to overwrite it",
        )
    repository.store.fetch(wrong.values(), remote)
    pin_path = f"data/{state.dataset}/{PIN}"
    if pin:
        write_json(root / pin_path, pin)
    now = state_at(git, state.dataset, base)
    gone = [path for path in (now.files if now else ()) if path not in state.files]
    reports = data_files(root / "reports" / state.dataset) if wrong else []
    for path in (
        *(root / path for path in gone),
        *(file for file in reports if file.relative_to(root).as_posix() not in state.files),
    ):
        path.unlink(missing_ok=True)
    put(repository, state, wrong)
    repository.store.remove(raw)
    if not pin:
        (root / pin_path).unlink(missing_ok=True)
    return [*state.files, *gone, pin_path]


def _record(
    repository: Repository, place: Callable[[str], Sequence[str]], message: str, say: Callable[[str], None]
) -> tuple[str | None, str | None, bool]:
    """Call `place` with the commit to build on and commit what it returns, where a commit can be made here.

    Returns the commit, why there is none though there should be one, and whether files differ from the last commit.
    """

    def work(tip: Tip) -> tuple[str | None, str | None, bool]:
        files = place(tip.base)
        if repository.git.changed(tip.base, files):
            return record(repository, tip, files, message, {}), None, True
        if tip.base != tip.head:
            follow(repository, tip, tip.base, files)
        return None, None, False

    reason_not = blocked(repository)
    if reason_not is None:
        return attempt(repository, work, say)
    with alone(repository, say):
        changed = bool(repository.git.changed("HEAD", place("HEAD")))
    return None, reason_not[0] if changed else None, changed
