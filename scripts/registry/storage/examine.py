"""Read all objects of released versions in a remote, and find those that are missing or damaged. Nothing is written."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from registry.gate import FOLDER, GateError
from registry.storage.damage import Fault
from registry.storage.repository import Repository
from registry.storage.snapshot import NoReleaseError, Snapshot
from registry.storage.tags import Release


@dataclass(frozen=True)
class Faulty:
    """An object of a version, a file or the list of a folder's files, that a remote lacks or holds damaged."""

    tag: str
    path: str
    md5: str
    fault: Fault


@dataclass(frozen=True)
class Examined:
    """What a remote holds of versions: how many objects were read, what is wrong, and {tag: why it cannot be read}."""

    remote: str
    tags: list[str]
    objects: int
    faulty: list[Faulty] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def examine(
    repository: Repository, releases: Iterable[Release], remote: str, say: Callable[[str], None] = lambda line: None
) -> Examined:
    """Return what is wrong with the data of these releases in a remote, each object of which is read and hashed once.

    `say` is told which version is read. Raises RegistryError for a remote that is unknown or cannot be read.
    """
    repository.store.remote_url(remote)
    known: dict[str, Fault | None] = {}
    tags, faulty, left_out = [], [], {}
    for release in releases:
        try:
            snapshot = Snapshot.at(repository, release.dataset, release.commit, release.tag)
            say(f"reading {release.tag} in remote {remote}")
            faulty += _faulty(repository, snapshot, remote, known)
        except (GateError, NoReleaseError) as error:
            left_out[release.tag] = error.what
        else:
            tags.append(release.tag)
    return Examined(remote, tags, len(known), faulty, left_out)


def _faulty(
    repository: Repository, snapshot: Snapshot, remote: str, known: dict[str, Fault | None]
) -> Iterator[Faulty]:
    """Yield the faulty objects of a version. What is `known` {md5: fault} of others is not read again, and added to."""
    store = repository.store

    def examined(files: dict[str, str]) -> Iterator[Faulty]:
        unread = {md5 for md5 in files.values() if md5 not in known}
        known.update(dict.fromkeys(unread) | store.faults(unread, remote))
        for path, md5 in files.items():
            if fault := known[md5]:
                yield Faulty(snapshot.name, path, md5, fault)

    yield from examined(snapshot.outs)
    for out, md5 in snapshot.outs.items():
        if md5.endswith(FOLDER):
            listed = store.list_of(md5) if known[md5] else store.listing_in(md5, remote)
            yield from examined({f"{out}/{path}": file for path, file in listed.items()})
