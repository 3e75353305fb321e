"""Retire a dataset: what a checkout has of it goes, in one commit; its releases stay, and are read as before.

The commit is made without the working tree, which follows it as it follows every release: until it is made, nothing is
gone. What git does not track, its data, goes last. Run again after being killed at any point, it does what is left.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from registry.config.load import SAMPLES, parents, read_yaml, referenced
from registry.config.names import closest, is_name, rule_of
from registry.config.pins import pinned
from registry.errors import RegistryError
from registry.files import data_files, dvc_digest
from registry.gate import checked_inside
from registry.release.pending import clear_pending, read_pending
from registry.release.record import Base, blocked, record, retry_on_conflict
from registry.restore.places import check_places, write
from registry.restore.pull import some
from registry.storage.remotes import release_remote, way_to
from registry.storage.repository import CONFIG, Repository, read_config
from registry.storage.tags import releases
from registry.workflow.snakemake import wait_until_idle

CACHE = ".cache"
"""Folder of a checkout, ignored by git, for edited files until the commit is made."""
SUMS = f"{SAMPLES}/SHA256SUMS"


@dataclass(frozen=True)
class Retired:
    """A dataset that is retired.

    `version` is its newest release, None where it has none; `files` are those that git tracked of it, `left` what lies
    here and may be its own. `commit` is None where nothing had to be committed.
    """

    dataset: str
    version: str | None
    files: list[str]
    left: list[str]
    commit: str | None = None
    changed: bool = True


@dataclass(frozen=True)
class _Plan:
    """What there is to remove.

    `tracked` are the files that git has of a dataset, `dirty` those that are not as HEAD has them, `data` those that
    git ignores, without what builds keep for themselves; `sums` is the list of samples without its lines, None where
    it has none.
    """

    tracked: list[str]
    dirty: list[str]
    data: list[str]
    sums: bytes | None = field(repr=False)


def retire(
    repository: Repository,
    dataset: str,
    *,
    reason: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    say: Callable[[str], None] = print,
) -> Retired:
    """Remove a dataset's configuration, samples, descriptions and data; `reason` is kept in the commit's message.

    Its releases and its code stay. `force` gives up unpublished work and a pin. Raises RegistryError where something
    would be lost, or others need the dataset.
    """
    reason_not = blocked(repository, f"registry remove {dataset}")
    if reason_not:
        raise RegistryError(f"{dataset} is not removed: {reason_not[0]}", hint=reason_not[1])
    _check_not_needed(repository, dataset)

    def work(base: Base) -> Retired:
        if not dry_run:
            wait_until_idle(repository.root, say)
        return _retire(repository, base, dataset, reason, force=force, dry_run=dry_run)

    return retry_on_conflict(repository, work, say, dry_run=dry_run)


def _retire(
    repository: Repository, base: Base, dataset: str, reason: str | None, *, force: bool, dry_run: bool
) -> Retired:
    root, git = repository.root, repository.git
    version = _newest(repository, base, dataset)
    plan = _plan(repository, dataset)
    here = any(os.path.lexists(root / place) for place in _places(dataset)) or plan.tracked or plan.sums is not None
    if not here and not version:
        raise _unknown(repository, dataset)
    if not force:
        _check_nothing_lost(repository, dataset, plan)
    done = Retired(dataset, version, plan.tracked, _left(repository, dataset), changed=bool(here))
    if dry_run or not here:
        return done
    pending = read_pending(git)
    if pending and pending.restore == dataset:
        clear_pending(git)
    files = [*plan.dirty, *_write_sums(repository, dataset)]
    contents = dict.fromkeys(plan.tracked) | ({} if plan.sums is None else {SUMS: plan.sums})
    with _set_aside(repository, plan.dirty):
        if contents:
            commit = record(repository, base, files, _message(dataset, version, reason), {}, contents=contents)
        else:
            commit = None
            git.fast_forward(base.head, base.head, files)
    for place in _places(dataset):
        _remove(repository, place)
    return replace(done, left=_left(repository, dataset), commit=commit)


def _places(dataset: str) -> list[str]:
    """Return the files and folders of a dataset that are nothing else's."""
    return [
        f"config/datasets/{dataset}.yaml",
        f"config/datasets/{dataset}.md",
        f"config/locks/{dataset}.yaml",
        f"{SAMPLES}/{dataset}",
        f"data/{dataset}",
    ]


def _left(repository: Repository, dataset: str) -> list[str]:
    """Return what stays of a dataset: its code, which others may use, and what its runs wrote for people to read."""
    rule = rule_of(dataset)
    places = (f"workflow/rules/{rule}.smk", f"scripts/{rule}", f"reports/{dataset}", f"logs/{dataset}")
    return [place for place in places if (repository.root / place).exists()]


def _unknown(repository: Repository, dataset: str) -> RegistryError:
    names = repository.names()
    meant = closest(dataset, names)
    hint = f"{f'did you mean {meant}? ' if meant else ''}choose from: {', '.join(names)}"
    return RegistryError(f"there is no dataset {dataset}", hint=hint)


def _check_not_needed(repository: Repository, dataset: str) -> None:
    """Check that this can be a dataset, and that nothing that is configured needs it. Raises RegistryError."""
    if not is_name(dataset):
        raise _unknown(repository, dataset)
    wanted = read_config(repository.root)["datasets"]
    if wanted != "all" and dataset in wanted:
        raise RegistryError(
            f"datasets names {dataset}, and no run could start without it",
            where=CONFIG,
            hint="take it out there, commit that, then run the same command again",
        )
    for name, aliases in repository.committed_datasets("HEAD").aliases.items():
        if dataset in aliases:
            raise RegistryError(
                f"{dataset} is an alias of {name}",
                hint=f"take it out of config/datasets/{name}.yaml, or registry remove {name}",
            )
    needing = [
        path.stem
        for path in sorted((repository.root / "config" / "datasets").glob("*.yaml"))
        if path.stem != dataset and dataset in _needed(repository, path.stem)
    ]
    if needing:
        raise RegistryError(
            f"{some(needing)} {'is' if len(needing) == 1 else 'are'} made of {dataset}, or "
            f"{'refers' if len(needing) == 1 else 'refer'} to it",
            hint=f"registry remove {needing[0]} first",
        )


def _needed(repository: Repository, name: str) -> Sequence[str]:
    """Return what a dataset is made of and refers to, as its file says, even if that is wrong in other ways."""
    dataset, found = {}, []
    with suppress(RegistryError):
        dataset = read_yaml(repository.root / "config" / "datasets" / f"{name}.yaml")
    for of in (parents, referenced):
        with suppress(AttributeError, KeyError, TypeError):
            found += of(dataset)
    return found


def _newest(repository: Repository, base: Base, dataset: str) -> str | None:
    """Return a dataset's newest version, None where it was never released.

    Raises RegistryError where this checkout does not know all that is to be removed.
    """
    every, contained = (releases(repository.git, merged).get(dataset, []) for merged in (None, base.head))
    if every and every[-1] not in contained:
        hint = "registry follow, then run the same command again"
        raise RegistryError(f"this checkout is behind: {every[-1].tag} is released, and not part of it", hint=hint)
    if base.commit != base.head:
        hint = "registry follow, then run the same command again"
        raise RegistryError("this checkout is behind: origin has newer commits", hint=hint)
    return str(every[-1].version) if every else None


def _plan(repository: Repository, dataset: str) -> _Plan:
    root, git = repository.root, repository.git
    places = [*_places(dataset), f"reports/{dataset}"]
    folder = root / "data" / dataset
    tracked, known = git.tracked("HEAD", places), set(git.visible(*places))
    found = data_files(root / SAMPLES / dataset)
    found += [file for path in sorted(folder.glob("[!.]*")) if not path.is_symlink() for file in data_files(path)]
    data = [path for path in (file.relative_to(root).as_posix() for file in found) if path not in known]
    dirty = [path for path in sorted(git.uncommitted(*places)) if not path.endswith("/")]
    check_places(root, [*places, *tracked, *dirty, SUMS])
    committed = git.read("HEAD", [SUMS]).get(SUMS, b"")
    without = _without(committed, dataset)
    return _Plan(tracked, dirty, data, without if without != committed else None)


def _check_nothing_lost(repository: Repository, dataset: str, plan: _Plan) -> None:
    """Raise RegistryError where a pin, or work that nothing else has, would be lost."""
    if dataset in pinned(repository.root):
        raise RegistryError(
            f"{dataset} is pinned", hint=f"registry unpin {dataset} first; or use --force, and the pin goes with it"
        )
    lost = [path for path in plan.dirty if not _is_kept(repository, path)]
    lost = lost or _unsaved(repository, plan.data)
    if lost:
        keep, samples = f"registry publish {dataset}, or commit it", f"{SAMPLES}/{dataset}"
        if any(path.startswith(f"{samples}/") for path in plan.dirty):  # No release commits these.
            keep = f"git add config/datasets/{dataset}.yaml {samples} && git commit"
        raise RegistryError(
            f"unpublished work would be lost: {some(lost)}", hint=f"{keep}; or use --force to give it up"
        )


def _unsaved(repository: Repository, data: Iterable[str]) -> list[str]:
    """Return those files that neither DVC's cache nor the remote has. Raises RegistryError if that cannot be asked."""
    paths = {path: repository.root / path for path in data}
    uncached = {path: dvc_digest(place) for path, place in paths.items() if not repository.store.holds(place)}
    if not uncached:
        return []
    way = way_to(repository, release_remote(repository, "HEAD"), "HEAD")
    faults = repository.store.faults(uncached.values(), way)
    return [path for path, md5 in uncached.items() if md5 in faults]


def _is_kept(repository: Repository, path: str) -> bool:
    """Tell whether there is nothing at a path, or a file that some commit has as it is."""
    place = repository.root / path
    if not os.path.lexists(place):
        return True
    return place.is_file() and not place.is_symlink() and repository.git.is_kept(path)


def _without(sums: bytes, dataset: str) -> bytes:
    """Return a list of sums without the files of a dataset's samples."""
    own = re.compile(rb"[0-9a-f]{64} [ *]" + re.escape(f"{dataset}/").encode())
    return b"".join(line for line in sums.splitlines(keepends=True) if not own.match(line))


def _write_sums(repository: Repository, dataset: str) -> list[str]:
    """Take a dataset's samples out of the list in the working tree where that has changes of the user's own.

    Returns it if so, for then it stays as it is here; otherwise it follows the commit.
    """
    if not repository.git.uncommitted(SUMS):
        return []
    place = repository.root / SUMS
    if place.is_file():
        write(repository.root, SUMS, _without(place.read_bytes(), dataset))
    return [SUMS]


def _message(dataset: str, version: str | None, reason: str | None) -> str:
    last = f"Its last version is {version}.\n" if version else "It was never released.\n"
    return f"Retire {dataset}\n\n{last}" + (f"\n{reason}\n" if reason else "")


@contextmanager
def _set_aside(repository: Repository, paths: Iterable[str]) -> Iterator[None]:
    """Move files away, of which git could not follow a commit without them; put them back if the block fails.

    Where it is killed, they are left in a folder in .cache/.
    """
    root, moved = repository.root, {}
    (root / CACHE).mkdir(exist_ok=True)
    with TemporaryDirectory(dir=root / CACHE) as folder:
        try:
            for number, path in enumerate(paths):
                checked_inside(root, path)
                if os.path.lexists(root / path):
                    moved[path] = shutil.move(root / path, Path(folder, str(number)))
            yield
        except BaseException:
            for path, aside in moved.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.move(aside, root / path)
            raise


def _remove(repository: Repository, path: str) -> None:
    """Remove a file, a link, or a folder with all in it, if there is one."""
    checked_inside(repository.root, path)
    repository.store.remove([path])
