"""Copy released data to one more remote, or repair what one has of it. Neither makes a commit or a tag."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from registry.errors import RegistryError
from registry.storage.examine import Faulty, examine
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.tags import Release, dataset_of, releases


@dataclass(frozen=True)
class Copied:
    """One dataset's newest release, all of whose data the remote holds now."""

    dataset: str
    tag: str
    remote: str


def copy_to(repository: Repository, datasets: Sequence[str], remote: str) -> list[Copied]:
    """Copy the data of the newest release that HEAD contains, of these datasets or of all, to a remote.

    What the cache lacks is fetched from the default remote first. Raises RegistryError.
    """
    git, store = repository.git, repository.store
    contained = releases(git, merged=git.commit()) if git.commit() else {}
    store.remote_url(remote)
    names = [dataset_of(git, name) for name in datasets]
    unreleased = [name for name in names if name not in contained]
    if unreleased or not contained:
        raise RegistryError(
            f"HEAD contains no release of {', '.join(unreleased) or 'any dataset'}", hint="run registry publish first"
        )
    newest = [contained[name][-1] for name in dict.fromkeys(names or contained)]
    found = [Snapshot.at(repository, release.dataset, release.commit, release.tag) for release in newest]
    md5s = [md5 for snapshot in found for md5 in snapshot.outs.values()]
    store.fetch(md5s)
    store.push(md5s, remote)
    return [Copied(release.dataset, release.tag, remote) for release in newest]


@dataclass(frozen=True)
class Repaired:
    """What a remote lacked or held damaged: what it holds now, what it still does not, {tag: why it cannot be read}."""

    remote: str
    replaced: list[Faulty]
    left: list[Faulty]
    left_out: dict[str, str] = field(default_factory=dict)


def repair(
    repository: Repository, datasets: Sequence[str], remote: str, say: Callable[[str], None] = lambda line: None
) -> Repaired:
    """Put what a remote lacks or holds damaged, of all versions of these datasets or of all, there from the cache.

    What the cache lacks, or has damaged itself, is left. Raises RegistryError.
    """
    found = examine(repository, released_of(repository, datasets), remote, say)
    still = repository.store.repair({one.md5 for one in found.faulty}, remote) if found.faulty else {}
    replaced = [one for one in found.faulty if one.md5 not in still]
    return Repaired(remote, replaced, [one for one in found.faulty if one.md5 in still], found.left_out)


def released_of(repository: Repository, datasets: Sequence[str]) -> list[Release]:
    """Return all releases of these datasets, or of all. Raises RegistryError for one that has none."""
    every = releases(repository.git)
    names = [dataset_of(repository.git, name) for name in datasets]
    return [release for name in dict.fromkeys(names or every) for release in every[name]]
