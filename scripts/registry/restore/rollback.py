"""Go back to an older version of a dataset, and return: pins, and old content under a new number.

Data, descriptions and .dvc files come from the version's tag; code and configuration stay. The pin comes first, so that
whatever happens next, nothing is built or released from files of two versions; the commit comes last.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from registry.cards.write import new_cards, own_files
from registry.compare.semver import compare
from registry.config.pins import PIN, pin_of
from registry.errors import RegistryError
from registry.files import write_json
from registry.gate import GateError, checked_inside, checked_path
from registry.release.aliases import alias_tags
from registry.release.pending import clear_pending, read_pending
from registry.release.plan import Outcome, free_version
from registry.release.publish import Publication
from registry.release.record import Base, blocked, check_owed, exclusive, record, retry_on_conflict
from registry.restore.batches import has_batches
from registry.restore.places import check_places, remove
from registry.restore.pull import Restored, differing, put, restore, some, unsaved
from registry.storage.remotes import release_remote, way_to
from registry.storage.repository import Repository
from registry.storage.snapshot import NoReleaseError, Snapshot, is_description
from registry.storage.states import State
from registry.storage.tags import Release, find_release, numbers, releases, tag_message, tag_name
from registry.workflow.snakemake import wait_until_idle


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
    dataset = release.dataset
    pin = {"version": str(release.version), "tag": release.tag} | ({"reason": reason} if reason else {})
    before = pin_of(repository.root, dataset)
    if before and before["tag"] == release.tag and reason is None:
        pin = before
    message = f"Roll {dataset} back to {release.version}\n\n{reason or ''}".rstrip() + "\n"
    snapshot = _released(repository, release)

    def place(base: str) -> list[str]:
        _check_name(repository, release, base)
        files = _place(repository, snapshot, pin, base, remote=remote, force=force)
        if _begun(repository, dataset):
            clear_pending(repository.git)
        return files

    commit, not_committed, changed = _record(repository, place, message, say)
    return RolledBack(dataset, str(release.version), release.tag, changed or pin != before, commit, not_committed)


def _check_name(repository: Repository, release: Release, base: str) -> None:
    """Check that the dataset of a release still has its name at a commit. Raises RegistryError."""
    aliases = repository.committed_datasets(base).aliases
    if now := next((name for name, former in aliases.items() if release.dataset in former), None):
        raise RegistryError(
            f"{release.tag} is from before {release.dataset} was renamed: it is {now} now, and cannot go back",
            hint=f"to read it: registry get {release.dataset} {release.version}",
        )


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
    if not (
        pin_of(repository.root, dataset) or git.read("HEAD", [f"data/{dataset}/{PIN}"]) or _begun(repository, dataset)
    ):
        raise RegistryError(
            f"{dataset} is not pinned", hint=f"registry pull {dataset} restores what this checkout holds of it"
        )
    found: list[Snapshot] = []

    def place(base: str) -> list[str]:
        check_owed(git, dataset)
        contained = releases(git, merged=base).get(dataset)
        if not contained:
            raise RegistryError(f"this checkout contains no release of {dataset}", hint="registry follow")
        found[:] = [_newest(repository, contained[-1], base)]
        return _place(repository, found[0], None, base, remote=remote, force=force)

    message = f"Unpin {dataset}\n"
    _, not_committed, changed = _record(repository, place, message, say, restore=dataset)
    with exclusive(repository, say):
        done = restore(repository, found, remote=remote, force=force, say=say)[0]
        if _begun(repository, dataset):
            clear_pending(git)
    return replace(done, state="restored") if changed else done, not_committed


def _begun(repository: Repository, dataset: str) -> bool:
    """Tell whether a command that took the pin away was killed before it had restored the newest version."""
    pending = read_pending(repository.git)
    return pending is not None and pending.restore == dataset


def republish(
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
    return retry_on_conflict(
        repository,
        lambda base: _republish(repository, base, old, reason, dry_run=dry_run, force=force, say=say),
        say,
        dry_run=dry_run,
    )


def _republish(
    repository: Repository,
    base: Base,
    old: Release,
    reason: str,
    *,
    dry_run: bool,
    force: bool,
    say: Callable[[str], None],
) -> Publication:
    git, name = repository.git, old.dataset
    _check_name(repository, old, base.commit)
    newest = releases(git)[name][-1]
    if newest not in releases(git, merged=base.commit).get(name, []):
        raise RegistryError(
            f"this checkout is behind: {newest.tag} is released, and not part of it",
            hint="registry follow, and try again",
        )
    datasets = repository.committed_datasets(base.commit)
    config = datasets[name] if name in datasets.broken else datasets.get(name, {})
    before, wanted = (_released(repository, release) for release in (newest, old))
    changes = compare(before, wanted, config.get("versioning", "fixed"))
    remote, pending = release_remote(repository, base.commit), read_pending(git) if dry_run else None
    waiting = pending.what if pending and not pending.visible else None
    if not changes:
        reasons = [f"{newest.version} holds the content of {old.version} already"]
        outcome = Outcome(name, State.UNCHANGED, str(newest.version), newest.tag, reasons=reasons)
        return Publication([outcome], remote, dry_run=dry_run, waiting=waiting)
    way = way_to(repository, remote, base.commit)
    aliases = datasets.aliases.get(name, [])
    number = free_version(numbers(git), name, aliases, newest.version, changes[0].level)
    tag = tag_name(name, number)
    reasons = [f"content of {old.version}", f"reason: {reason}", *(change.reason for change in changes)]
    outcome = Outcome(name, State.RELEASED, str(number), tag, str(newest.version), changes[0].level.name, reasons)
    pin = {"version": str(number), "tag": tag, "reason": reason}
    if dry_run:
        return Publication([outcome], remote, aliases=alias_tags(tag, aliases), dry_run=True, waiting=waiting)
    wait_until_idle(repository.root, say)
    repository.store.fetch(wanted.outs.values())
    repository.store.push(wanted.outs.values(), way)
    cards = new_cards(repository, wanted, str(number), tag, reasons, say=say)
    wanted = replace(wanted, files=wanted.files | cards)
    files = _place(repository, wanted, pin, base.commit, force=force)
    levels = [f"{change.level.name}: {change.reason}" for change in changes]
    text = tag_message(number, [*reasons[:2], *levels], wanted)
    message = f"Release {name} {number}: the content of {old.version}\n\n{reason}\n"
    also = alias_tags(tag, aliases)
    commit = record(repository, base, files, message, {tag: text}, aliases=also)
    return Publication([outcome], remote, commit, also)


def _released(repository: Repository, release: Release) -> Snapshot:
    return Snapshot.at(repository, release.dataset, release.commit, release.tag, reports=True)


def _newest(repository: Repository, release: Release, base: str) -> Snapshot:
    """Return the newest state of a release: other code may have made the same data since, which makes no version."""
    released = _released(repository, release)
    path = f"data/{release.dataset}/provenance.json"
    for commit in repository.git.run("log", "--format=%H", f"{release.commit}..{base}", "--", path).split():
        try:
            since = Snapshot.at(repository, release.dataset, commit, reports=True)
        except (NoReleaseError, GateError):
            continue
        if (since.described, since.metadata) == (released.described, released.metadata):
            return since
    return released


def _place(
    repository: Repository,
    snapshot: Snapshot,
    pin: dict[str, Any] | None,
    base: str,
    *,
    remote: str | None = None,
    force: bool = False,
) -> list[str]:
    """Bring the working tree to a state of a dataset and its pin; return the files in which a commit may differ.

    raw/ goes where it is another version's, unless it has batches of a stream, and so do reports that another version
    has; the user's own stay. RegistryError where unpublished work would be lost.
    """
    root, pin_path = repository.root, f"{snapshot.folder}/{PIN}"
    gone = [path for path in _tracked(repository, snapshot.dataset, base) if path not in snapshot.files]
    check_places(root, [*snapshot.files, *snapshot.outs, *gone, snapshot.raw, pin_path])
    wrong = differing(repository, snapshot.described)
    raw = []
    if (root / snapshot.raw).exists() and not has_batches(root / snapshot.raw):
        raw = [*differing(repository, {snapshot.raw: snapshot.outs.get(snapshot.raw)})]
    edited = _edited(repository, base, [path for path in gone if path not in snapshot.added])
    edited += own_files(repository, snapshot, base)
    lost = [] if force else [*unsaved(repository, snapshot, [*wrong, *raw]), *edited]
    if lost:
        raise RegistryError(
            f"unpublished work would be lost: {some(lost)}",
            hint=f"registry publish {snapshot.dataset}, or use --force to overwrite it",
        )
    repository.store.fetch(wrong.values(), remote)
    if pin:
        write_json(checked_inside(root, pin_path), pin)
    for path in gone:
        remove(root, path)
    put(repository, snapshot, wrong)
    repository.store.remove(raw)
    if not pin:
        remove(root, pin_path)
    return [*snapshot.files, *gone, pin_path]


def _tracked(repository: Repository, dataset: str, base: str) -> list[str]:
    """Return the files of a release that a commit holds, if it can be read, and any release's reports that are here."""
    found: set[str] = set()
    with suppress(NoReleaseError, GateError):
        found |= Snapshot.at(repository, dataset, base, reports=True).files.keys()
    for release in releases(repository.git).get(dataset, []):
        listed = repository.git.listed(release.commit, f"reports/{dataset}")
        reports = [path for path in listed if is_description(path, dataset) and _is_path(path)]
        found |= {path for path in reports if (repository.root / path).is_file()}
    return sorted(found)


def _is_path(path: str) -> bool:
    try:
        checked_path(path, where="git")
    except GateError:
        return False
    return True


def _edited(repository: Repository, base: str, paths: Sequence[str]) -> list[str]:
    """Return those descriptions and reports that no commit has as they are here."""
    here = [path for path in paths if not path.endswith(".dvc") and (repository.root / path).is_file()]
    return [path for path in repository.git.changed(base, here) if not repository.git.is_kept(path)]


def _record(
    repository: Repository,
    place: Callable[[str], Sequence[str]],
    message: str,
    say: Callable[[str], None],
    *,
    restore: str | None = None,
) -> tuple[str | None, str | None, bool]:
    """Call `place` with the commit to build on and commit what it returns, where a commit can be made here.

    Returns the commit, why there is none though there should be one, and whether files differ from the last commit.
    """

    def work(base: Base) -> tuple[str | None, str | None, bool]:
        wait_until_idle(repository.root, say)
        files = place(base.commit)
        if repository.git.changed(base.commit, files):
            return record(repository, base, files, message, {}, restore=restore), None, True
        return None, None, False

    reason_not = blocked(repository)
    if reason_not is None:
        return retry_on_conflict(repository, work, say)
    with exclusive(repository, say):
        wait_until_idle(repository.root, say)
        changed = bool(repository.git.changed("HEAD", place("HEAD")))
    return None, reason_not[0] if changed else None, changed
