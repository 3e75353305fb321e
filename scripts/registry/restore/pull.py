"""Bring released data back without computing it: `registry pull`, and what going back and forth shares with it.

    1  what would be lost is looked for; without --force it stays, and its dataset with it
    2  data is fetched into DVC's cache
    3  descriptions, then data, appear at their places, each at once
    4  every byte is checked, and whether this checkout would make the same
    5  Snakemake is told: what passed is done, the rest has to be built again
Run again after being killed at any point, it does what is left.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from registry.config.load import parents
from registry.config.names import rule_of
from registry.config.pins import pin_of
from registry.errors import RegistryError
from registry.files import SNAKEMAKE_TIMESTAMP, atomic_file, data_files, dvc_digest, seal
from registry.gate import GateError, checked_inside, read_pointer
from registry.release.assess import SOMEWHERE, check_current, configured
from registry.release.record import exclusive
from registry.storage.repository import Repository, read_config
from registry.storage.snapshot import NoReleaseError, Snapshot
from registry.storage.states import NotReady, State
from registry.storage.tags import releases
from registry.workflow.snakemake import run_quietly, wait_until_idle

STALE = "REGISTRY_STALE"
"""Names datasets in the environment, whose rules then carry a fingerprint that no code has (rules/common.smk)."""
NAMED = 3
"""Files that a message names."""
PRINTED = 15
"""Lines of a failed snakemake's output that a message shows."""


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

    `raw` brings their sources too, `remote` names where data is fetched, `force` overwrites unpublished work. Raises
    RegistryError.
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
                f"this checkout contains no release of {', '.join(missing)}", hint="git pull, or build it"
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
    for snapshot in snapshots:
        outs = snapshot.outs if raw or (repository.root / snapshot.raw).exists() else snapshot.described
        wrong[snapshot.dataset] = differing(repository, outs)
        unpublished = unsaved(repository, snapshot, wrong[snapshot.dataset])
        if unpublished and not force:
            kept[snapshot.dataset] = unpublished
    wanted = [snapshot for snapshot in snapshots if snapshot.dataset not in kept]
    repository.store.fetch([md5 for snapshot in wanted for md5 in wrong[snapshot.dataset].values()], remote)
    contained = releases(repository.git, merged="HEAD") if repository.git.commit() else {}
    brought = {snapshot.dataset: put(repository, snapshot, wrong[snapshot.dataset]) for snapshot in wanted}
    reasons = _tell(repository, snapshots, kept, say)
    found = []
    for name in (snapshot.dataset for snapshot in snapshots):
        pin = pin_of(repository.root, name)
        newest = str(contained[name][-1].version) if name in contained else None
        outcome = "kept" if name in kept else "restored" if brought[name] else "unchanged"
        version = pin["version"] if pin else newest
        found.append(Restored(name, outcome, version, pin is not None, reasons.get(name), kept.get(name, [])))
    return found


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
        if not path.endswith(".dvc") and here.is_file() and here.read_bytes() != content and not git.is_kept(path):
            lost.append(path)
    for out in outs:
        if (root / out).exists():
            unknown = [file for file in data_files(root / out) if not store.holds(file)]
            if unknown and dvc_digest(root / out) not in _released_md5s(repository, snapshot.dataset, out):
                lost += [file.relative_to(root).as_posix() for file in unknown]
    return lost


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
    changed = bool(outs)
    for path in (*snapshot.files, *outs):
        checked_inside(repository.root, path)
    for path, content in snapshot.files.items():
        target = repository.root / path
        if not target.is_file() or target.read_bytes() != content:
            changed = True
            with atomic_file(target) as partial:
                partial.write_bytes(content)
    left = (repository.root / snapshot.folder).glob(".*.partial")
    repository.store.remove([str(path) for path in left])
    repository.store.checkout(outs)
    seal(repository.root / snapshot.data)
    return changed


def _parent(repository: Repository, name: str) -> Snapshot:
    """Return a dataset that another is made of; its data need not be here. Raises NotReady."""
    try:
        return Snapshot.on_disk(repository.root, name)
    except NotReady as found:
        if found.state != State.INCOMPLETE:
            raise
        try:
            return replace(Snapshot.checked_out(repository, name), outs={})
        except (NoReleaseError, GateError):
            raise found from None


def _check_restored(repository: Repository, name: str, outs: Mapping[str, str]) -> Snapshot:
    """Return a dataset on disk, whose bytes are those that {path: md5} says. Raises NotReady."""
    built = Snapshot.on_disk(repository.root, name)
    # What is not here, such as raw/, can be made again; what is here must be right.
    wrong = [out for out, md5 in outs.items() if (repository.root / out).exists() and built.outs.get(out) != md5]
    if wrong:
        raise NotReady(State.DAMAGED, f"{wrong[0]} is not what was released", f"run registry pull --force {name}")
    return built


def _check_raw(repository: Repository, built: Snapshot) -> None:
    """Check that the sources that are here are those that the data was made from. Raises NotReady."""
    if (repository.root / built.raw).exists() and built.raw not in built.outs:
        build = f"run snakemake --cores all {rule_of(built.dataset)}"
        raise NotReady(State.OUTDATED, f"{built.raw} is not what it was made from", build)


def _tell(
    repository: Repository, snapshots: Sequence[Snapshot], kept: Iterable[str], say: Callable[[str], None]
) -> dict[str, str]:
    """Judge datasets, record with Snakemake what is done and what is not, and return {dataset: why it is built again}.

    Unpublished work that is complete and up to date is Snakemake's own and left alone, and so is what is pinned. What
    is recorded of a dataset is recorded of those that it is made of, too, so that they are judged with it.
    """
    datasets = configured(repository)
    outs = {snapshot.dataset: snapshot.outs for snapshot in snapshots}
    made_of = {name: parents(datasets.get(name, {})) for name in outs}
    sources = dict.fromkeys(other for others in made_of.values() for other in others)
    done, stale, reasons = [], [], {}
    for name in dict.fromkeys([*outs, *sources]):
        if pin_of(repository.root, name):
            continue
        restored = name in outs and name not in kept
        try:
            if restored:
                built = _check_restored(repository, name, outs[name])
            elif name in outs:
                built = Snapshot.on_disk(repository.root, name)
            else:
                built = _parent(repository, name)
            _check_raw(repository, built)
            check_current(repository.root, built, datasets)
        except NotReady as judged:
            if name in outs:
                reasons[name] = judged.reason
            if name in outs or judged.state != State.NOT_BUILT:
                stale.append(name)
        else:
            if restored or name in sources:
                done.append(name)
    for name, others in made_of.items():
        again = [other for other in others if other in stale]
        if again and name in outs and name not in reasons and not pin_of(repository.root, name):
            reasons[name] = f"made of {', '.join(again)}, which is built again"
    touch(repository, [name for name in (*done, *stale) if name in datasets], stale, say)
    return reasons


def touch(repository: Repository, names: Sequence[str], stale: Sequence[str], say: Callable[[str], None]) -> None:
    """Make Snakemake take these datasets for done as they are here, and those that are `stale` for made by other code.

    Nothing is built and nothing published. Raises RegistryError.
    """
    if not names:
        return
    for name in names:
        for file in (repository.root / "data" / name).rglob(SNAKEMAKE_TIMESTAMP):
            file.unlink()
    mirror = read_config(repository.root).get("mirror") or SOMEWHERE
    command = ["--touch", "--forceall", "--no-hooks", "--cores", "1", "--config", "publish=false", f"mirror={mirror}"]
    targets = [rule_of(name) for name in names]
    code, printed = run_quietly(repository.root, [*command, "--", *targets], say=say, env={STALE: ",".join(stale)})
    if code:
        lines = printed.splitlines()[-PRINTED:]
        raise RegistryError(
            "restored, but not marked as up to date for Snakemake:\n" + "\n".join(f"    {line}" for line in lines),
            hint="fix that, and run the same command again",
        )
