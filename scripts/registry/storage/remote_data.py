"""Read the data of a version, wherever its repository is, from the DVC remote that its own tag names."""

import errno
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.errors import RegistryError
from registry.gate import FOLDER, MAX_LISTING
from registry.shown import redacted
from registry.storage.connection import announced, open_remote
from registry.storage.damage import Fault, faults, faulty
from registry.storage.explain import reason_of
from registry.storage.remote_config import configured_remotes

if TYPE_CHECKING:
    from dvc.fs import FileSystem
    from fsspec import AbstractFileSystem

FULL = (errno.ENOSPC, errno.EDQUOT)


class Place(NamedTuple):
    """Where a remote has an object: the file system, the path in it, and the URL."""

    filesystem: "AbstractFileSystem"
    path: str
    url: str


class _Opened(NamedTuple):
    """A remote: its name and URL, the file system that DVC has for it, and its path in that."""

    name: str
    url: str
    filesystem: "FileSystem"
    root: str

    def path(self, md5: str) -> str:
        """Return the path of an object."""
        return self.filesystem.join(self.root, "files", "md5", md5[:2], md5[2:])


class RemoteData:
    """The objects behind a tag of the repository at `address`. DVC opens their remote when the first is wanted.

    `remote` names another remote than the default one, `remote_config` adds to its configuration.
    """

    def __init__(
        self, address: str, tag: str, remote: str | None = None, remote_config: Mapping[str, Any] | None = None
    ) -> None:
        self._address = address
        self._tag = tag
        self._remote = remote
        self._config = dict(remote_config or {})
        self._secrets = [self._config]

    @cached_property
    def _opened(self) -> _Opened:
        name, remotes = configured_remotes(self._address, self._tag, self._remote, self._config)
        self._secrets.append(remotes[name])
        return _Opened(name, remotes[name]["url"], *open_remote(name, remotes))

    @property
    def name(self) -> str:
        """The name of the remote. Raises RegistryError."""
        with self._explained():
            return self._opened.name

    def check_remote(self) -> None:
        """Raise RegistryError if a remote was named that is not there."""
        if self._remote:
            configured_remotes(self._address, self._tag, self._remote, self._config)

    def place(self, md5: str) -> Place:
        """Return where the remote has an object. Raises RegistryError."""
        with self._explained():
            remote = self._opened
            path = remote.path(md5)
            return Place(remote.filesystem.fs, path, remote.filesystem.unstrip_protocol(path))

    def read(self, md5: str) -> bytes:
        """Return the bytes of an object, which are those that its md5 says. Raises RegistryError."""
        with self.reading():
            with self._opened.filesystem.open(self._opened.path(md5), "rb") as stream:
                content = stream.read(MAX_LISTING + 1)
            if len(content) > MAX_LISTING:
                raise OSError(f"the object {md5} is larger than {MAX_LISTING:,} bytes")
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5.removesuffix(FOLDER):
                raise self.damaged(md5)
        return content

    def sizes(self, md5s: Sequence[str]) -> list[int]:
        """Return how many bytes each of these objects has, 0 where the remote does not say. Raises RegistryError."""
        with self.reading():
            remote = self._opened
            return [size or 0 for size in remote.filesystem.sizes([remote.path(md5) for md5 in md5s])]

    def check(self, md5s: Iterable[str]) -> None:
        """Hash these objects in the remote. Raises RegistryError unless each is what its md5 says."""
        with self.reading():
            remote = self._opened
            found = faults(remote.filesystem, {md5: remote.path(md5) for md5 in md5s})
            if found:
                raise faulty(found, remote.name, remote.url, where=self._where)

    def damaged(self, md5: str) -> RegistryError:
        """Return the error that says that the remote holds an object damaged."""
        return faulty({md5: Fault.DAMAGED}, self._opened.name, self._opened.url, where=self._where)

    def download(self, targets: Mapping[str, Path]) -> None:
        """Write objects {md5: new file}, unchecked. Raises RegistryError."""
        with self.reading():
            remote = self._opened
            remote.filesystem.get([remote.path(md5) for md5 in targets], [str(path) for path in targets.values()])

    @property
    def _where(self) -> str:
        return f"{redacted(self._address)} at {self._tag}"

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn whatever a remote of any kind raises into one message, without secrets, and announce what takes long."""
        with self._explained(), announced(f"reading {self._opened.url}"):
            yield

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except RegistryError:
            raise
        except Exception as error:
            # What remotes raise has no common ancestor.
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            cause = error if isinstance(error, OSError) else error.__cause__ or error
            raise RegistryError(
                f"cannot read the data from its DVC remote: {reason_of(cause, self._secrets)}",
                where=self._where,
                hint="check its address in .dvc/config of that tag, that it answers, and your credentials for it",
            ) from error
