"""Read the data of a version, wherever its repository is, from the DVC remote that its own tag names."""

import errno
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.errors import RegistryError
from registry.gate import FOLDER, MAX_LISTING
from registry.storage.elsewhere import public
from registry.storage.explain import reason_of

if TYPE_CHECKING:
    from dvc_data.hashfile.db import HashFileDB
    from fsspec import AbstractFileSystem

FULL = (errno.ENOSPC, errno.EDQUOT)


class Place(NamedTuple):
    """Where a remote has an object: the file system, the path in it, and the URL."""

    filesystem: "AbstractFileSystem"
    path: str
    url: str


class RemoteData:
    """The objects behind a tag of the repository at `address`. DVC opens that when the first of them is wanted.

    `remote` names another remote than the default one, `remote_config` adds to its configuration.
    """

    def __init__(
        self, address: str, tag: str, remote: str | None = None, remote_config: Mapping[str, Any] | None = None
    ) -> None:
        self._address = address
        self._tag = tag
        self._remote = remote
        self._config = dict(remote_config or {})

    @cached_property
    def _objects(self) -> "HashFileDB":
        from dvc.api import DVCFileSystem

        files = DVCFileSystem(self._address, rev=self._tag, remote=self._remote, remote_config=self._config)
        return files.repo.cloud.get_remote_odb(None, "fetch")

    def place(self, md5: str) -> Place:
        """Return where the remote has an object. Raises RegistryError."""
        with self.reading():
            path, filesystem = self._objects.oid_to_path(md5), self._objects.fs
            return Place(filesystem.fs, path, filesystem.unstrip_protocol(path))

    def read(self, md5: str) -> bytes:
        """Return the bytes of an object, which are those that its md5 says. Raises RegistryError."""
        with self.reading():
            path = self._objects.oid_to_path(md5)
            if self._objects.fs.size(path) > MAX_LISTING:
                raise OSError(f"the object {md5} is larger than {MAX_LISTING:,} bytes")
            content = self._objects.fs.cat_file(path)
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5.removesuffix(FOLDER):
                raise OSError(f"the object {md5} is damaged there")
        return content

    def download(self, targets: Mapping[str, Path]) -> None:
        """Write objects {md5: new file}, unchecked. Raises RegistryError."""
        with self.reading():
            paths = [self._objects.oid_to_path(md5) for md5 in targets]
            self._objects.fs.get(paths, [str(path) for path in targets.values()])

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn whatever a remote of any kind raises into one message, without secrets."""
        try:
            yield
        except Exception as error:
            # What remotes raise has no common ancestor.
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            cause = error if isinstance(error, OSError) else error.__cause__ or error
            raise RegistryError(
                f"cannot read the data from its DVC remote: {reason_of(cause, [self._config])}",
                where=f"{public(self._address)} at {self._tag}",
                hint="check the remote's address in .dvc/config of that tag, and your credentials for it",
            ) from error
