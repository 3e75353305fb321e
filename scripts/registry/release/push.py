"""Copy released data to one more remote. That is no release: it makes no commit and no tag."""

from collections.abc import Sequence
from dataclasses import dataclass

from registry.errors import RegistryError
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.tags import releases


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
    unreleased = [name for name in datasets if name not in contained]
    if unreleased or not contained:
        raise RegistryError(
            f"HEAD contains no release of {', '.join(unreleased) or 'any dataset'}", hint="run registry publish first"
        )
    newest = [contained[name][-1] for name in dict.fromkeys(datasets or contained)]
    found = [Snapshot.at(repository, release.dataset, release.commit, release.tag) for release in newest]
    md5s = [md5 for snapshot in found for md5 in snapshot.outs.values()]
    store.fetch(md5s)
    store.push(md5s, remote)
    return [Copied(release.dataset, release.tag, remote) for release in newest]
