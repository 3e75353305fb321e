"""Read the data of a version, wherever its repository is, from the DVC remote that its own tag names."""

import errno
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.errors import RegistryError
from registry.gate import FOLDER, MAX_LISTING
from registry.shown import redacted
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
    def _opened(self) -> tuple["FileSystem", str]:
        """The file system that DVC has for the remote, and the path of the remote in it."""
        from dvc.fs import get_cloud_fs

        name, remotes = configured_remotes(self._address, self._tag, self._remote, self._config)
        self._secrets.append(remotes[name])
        kind, settings, path = get_cloud_fs({"remote": remotes}, name=name)
        return kind(**settings), path

    def _path(self, md5: str) -> str:
        filesystem, root = self._opened
        return filesystem.join(root, "files", "md5", md5[:2], md5[2:])

    def place(self, md5: str) -> Place:
        """Return where the remote has an object. Raises RegistryError."""
        with self.reading():
            path, (filesystem, _) = self._path(md5), self._opened
            return Place(filesystem.fs, path, filesystem.unstrip_protocol(path))

    def read(self, md5: str) -> bytes:
        """Return the bytes of an object, which are those that its md5 says. Raises RegistryError."""
        with self.reading():
            path, (filesystem, _) = self._path(md5), self._opened
            with filesystem.open(path, "rb") as stream:
                content = stream.read(MAX_LISTING + 1)
            if len(content) > MAX_LISTING:
                raise OSError(f"the object {md5} is larger than {MAX_LISTING:,} bytes")
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5.removesuffix(FOLDER):
                raise OSError(f"the object {md5} is damaged there")
        return content

    def sizes(self, places: Iterable[Place]) -> list[int]:
        """Return how many bytes each of these objects has, 0 where the remote does not say. Raises RegistryError."""
        with self.reading():
            filesystem, _ = self._opened
            return [size or 0 for size in filesystem.sizes([place.path for place in places])]

    def download(self, targets: Mapping[str, Path]) -> None:
        """Write objects {md5: new file}, unchecked. Raises RegistryError."""
        with self.reading():
            filesystem, _ = self._opened
            filesystem.get([self._path(md5) for md5 in targets], [str(path) for path in targets.values()])

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn whatever a remote of any kind raises into one message, without secrets."""
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
                where=f"{redacted(self._address)} at {self._tag}",
                hint="check the remote's address in .dvc/config of that tag, and your credentials for it",
            ) from error
