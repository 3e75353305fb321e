"""Bring released data back without computing it: `registry pull`, and what going back and forth shares with it.

    1  what would be lost is looked for; without --force it stays, and its dataset with it
    2  data is fetched into DVC's cache
    3  descriptions, then data, appear at their places, each at once
    4  every byte is checked, and whether this checkout would make the same
    5  what passed is marked as done for Snakemake, the rest as to be built again
Run again after being killed at any point, it does what is left.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from registry.config.pins import pin_of
from registry.describe.run import without_notes
from registry.errors import RegistryError
from registry.files import data_files, dvc_digest, seal
from registry.gate import GateError, read_json, read_pointer
from registry.release.pending import clear_pending, read_pending
from registry.release.record import exclusive
from registry.restore.batches import bring_batches, has_batches
from registry.restore.mark import mark
from registry.restore.places import check_places, write
from registry.sources.raw import forget_raw
from registry.storage.repository import Repository
from registry.storage.snapshot import PROVENANCE, NoReleaseError, Snapshot, came_from
from registry.storage.tags import releases
from registry.workflow.snakemake import wait_until_idle

NAMED = 3
"""Files that a message names."""


@dataclass(frozen=True)
class Restored:
    """What became of one dataset.

    `state` is restored (something was brought back), unchanged (all was here), kept (what `unpublished` names is in the
    way) or left out (what git has of it cannot be trusted, for this `reason`). `rebuild` says why the next run builds
    it again; None where it has nothing to do.
    """

    dataset: str
    state: str
    version: str | None = None
    pinned: bool = False
    rebuild: str | None = None
    unpublished: list[str] = field(default_factory=list)
    reason: str | None = None


def _target(repository: Repository, name: str) -> Snapshot | None:
    """Return what a dataset is to be restored to; None where nothing of it was released.

    That is: the version that it is pinned at; else what the .dvc files of the working tree say where they were changed
    on purpose and belong to their descriptions; else HEAD.
    """
    git = repository.git
    pin = pin_of(repository.root, name)
    if pin and git.commit(f"refs/tags/{pin['tag']}"):
        return Snapshot.at(repository, name, f"refs/tags/{pin['tag']}", pin["tag"], reports=True)
    committed = _held(lambda: Snapshot.at(repository, name, "HEAD", reports=True)) if git.commit() else None
    try:
        here = _held(lambda: Snapshot.checked_out(repository, name))
    except GateError:
        here = None
    return here if here and (committed is None or here.outs != committed.outs) else committed


def _held(read: Callable[[], Snapshot]) -> Snapshot | None:
    try:
        return read()
    except NoReleaseError:
        return None


def pull(
    repository: Repository,
    datasets: Sequence[str] = (),
    *,
    raw: bool = False,
    remote: str | None = None,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> list[Restored]:
    """Restore released datasets, those named, else all, so that the next run has nothing to do for them.

    `raw` brings their sources too, batches of a stream beside those that are here; `remote` names where data is
    fetched, `force` overwrites unpublished work. Raises RegistryError.
    """
    names = list(dict.fromkeys(datasets)) or repository.names()
    unknown = sorted(set(names) - set(repository.names()))
    if unknown:
        raise RegistryError(
            f"there is no dataset {', '.join(unknown)}", hint=f"choose from: {', '.join(repository.names())}"
        )
    with exclusive(repository, say):
        wait_until_idle(repository.root, say)
        targets, odd = {}, []
        for name in names:
            try:
                targets[name] = _target(repository, name)
            except GateError as error:
                odd.append(Restored(name, "left out", reason=str(error)))
        missing = [name for name in datasets if targets.get(name, ...) is None]
        if missing:
            raise RegistryError(
                f"this checkout contains no release of {', '.join(missing)}", hint="registry follow, or build it"
            )
        wanted = [snapshot for snapshot in targets.values() if snapshot]
        return restore(repository, wanted, raw=raw, remote=remote, force=force, say=say) + odd


def restore(
    repository: Repository,
    snapshots: Sequence[Snapshot],
    *,
    raw: bool = False,
    remote: str | None = None,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> list[Restored]:
    """Bring datasets to these states, check them, and tell Snakemake; arguments as for pull."""
    wrong, kept = {}, {}
    streams = [snapshot for snapshot in snapshots if has_batches(repository.root / snapshot.raw)]
    for snapshot in snapshots:
        with_raw = snapshot not in streams and (raw or (repository.root / snapshot.raw).exists())
        outs = snapshot.outs if with_raw else snapshot.described
        wrong[snapshot.dataset] = differing(repository, outs)
        unpublished = unsaved(repository, snapshot, wrong[snapshot.dataset])
        if unpublished and not force:
            kept[snapshot.dataset] = unpublished
    wanted = [snapshot for snapshot in snapshots if snapshot.dataset not in kept]
    repository.store.fetch([md5 for snapshot in wanted for md5 in wrong[snapshot.dataset].values()], remote)
    contained = releases(repository.git, merged="HEAD") if repository.git.commit() else {}
    brought = {snapshot.dataset: put(repository, snapshot, wrong[snapshot.dataset]) for snapshot in wanted}
    for snapshot in [snapshot for snapshot in wanted if raw and snapshot in streams]:
        brought[snapshot.dataset] |= bring_batches(repository, snapshot, remote)
    for snapshot in [snapshot for snapshot in wanted if snapshot not in streams]:
        _leave_out_other_sources(repository, snapshot, say)
    reasons = mark(repository, snapshots, kept, say)
    _settle(repository, [snapshot.dataset for snapshot in wanted])
    found = []
    for name in (snapshot.dataset for snapshot in snapshots):
        pin = pin_of(repository.root, name)
        newest = str(contained[name][-1].version) if name in contained else None
        outcome = "kept" if name in kept else "restored" if brought[name] else "unchanged"
        version = pin["version"] if pin else newest
        found.append(Restored(name, outcome, version, pin is not None, reasons.get(name), kept.get(name, [])))
    return found


def _settle(repository: Repository, restored: Sequence[str]) -> None:
    """Forget that one of these datasets is still to be restored, where nothing else is left of what was interrupted."""
    pending = read_pending(repository.git)
    if pending and pending.visible and pending.restore in restored:
        clear_pending(repository.git)


def _leave_out_other_sources(repository: Repository, snapshot: Snapshot, say: Callable[[str], None]) -> None:
    """Remove a raw/ that was released and is not what the data was made from: nothing else vouches for raw.dvc."""
    raw = repository.root / snapshot.raw
    if not raw.exists() or snapshot.raw not in snapshot.outs:
        return
    if not came_from(raw, snapshot.provenance):
        repository.store.remove([snapshot.raw])
        say(f"{snapshot.raw} is removed: it is not what {snapshot.dataset} was made from")


def differing(repository: Repository, outs: dict[str, str]) -> dict[str, str]:
    """Return those of {path: md5} that are not so on disk."""
    paths = {out: repository.root / out for out in outs}
    return {out: md5 for out, md5 in outs.items() if not paths[out].exists() or dvc_digest(paths[out]) != md5}


def unsaved(repository: Repository, snapshot: Snapshot, outs: Iterable[str]) -> list[str]:
    """Return the files that going to a state would lose: in no commit, not in DVC's cache, not released.

    `outs` are the files and folders that are about to be replaced.
    """
    root, git, store = repository.root, repository.git, repository.store
    lost = []
    for path, content in snapshot.files.items():
        here = root / path
        if not path.endswith(".dvc") and here.is_file() and not _says(here, content) and not git.is_kept(path):
            lost.append(path)
    for out in outs:
        if (root / out).exists():
            unknown = [file for file in data_files(root / out) if not store.holds(file)]
            if unknown and dvc_digest(root / out) not in _released_md5s(repository, snapshot.dataset, out):
                lost += [file.relative_to(root).as_posix() for file in unknown]
    return lost


def _says(path: Path, content: bytes) -> bool:
    """Tell whether a file of the working tree says what `content` does; notes in a provenance.json do not count."""
    here = path.read_bytes()
    if here == content or path.name != PROVENANCE:
        return here == content
    try:
        return without_notes(read_json(here, where=path)) == without_notes(read_json(content, where=path))
    except (GateError, KeyError, TypeError, AttributeError):
        return False


def _released_md5s(repository: Repository, name: str, out: str) -> set[str]:
    pointers = [f"{release.commit}:{out}.dvc" for release in releases(repository.git).get(name, [])]
    found = set()
    for pointer, content in repository.git.contents(pointers).items():
        try:
            found.add(read_pointer(content, out.rpartition("/")[2], where=pointer))
        except GateError:
            continue
    return found


def some(paths: Sequence[str]) -> str:
    """Name a few files."""
    more = len(paths) - NAMED
    return ", ".join(paths[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def put(repository: Repository, snapshot: Snapshot, outs: dict[str, str]) -> bool:
    """Write what git tracks of a state and the data {path: md5} into the working tree; tell whether that changed it.

    What an interrupted build or restore left half-written goes.
    """
    root, store = repository.root, repository.store
    check_places(root, [*snapshot.files, *outs, snapshot.data])
    store.remove([str(path) for path in (root / snapshot.folder).glob(".*.partial")])
    written = [path for path, content in snapshot.files.items() if write(root, path, content)]
    if snapshot.raw in outs:
        forget_raw(root / snapshot.folder)
    store.checkout(outs)
    seal(root / snapshot.data)
    return bool(outs or written)
