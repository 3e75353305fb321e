"""A version of a dataset that was released, wherever its repository is: what is known of it, and its data as files."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from registry.errors import RegistryError
from registry.files import dvc_digest
from registry.gate import FOLDER, MAX_LISTING, GateError, read_listing
from registry.storage.objects import DamagedDownloadError, ObjectCache
from registry.storage.remote_data import FULL, RemoteData
from registry.storage.snapshot import Snapshot

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Released:
    """A version of a dataset: what is known of it, and its files."""

    version: str
    repo: str
    snapshot: Snapshot
    _remote: RemoteData = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.snapshot.dataset

    @property
    def tag(self) -> str:
        """The tag of the version."""
        return self.snapshot.name

    @property
    def metadata(self) -> dict[str, Any]:
        """The facts of its data: schema, splits, statistics."""
        return self.snapshot.metadata

    @property
    def provenance(self) -> dict[str, Any]:
        """How its data was made."""
        return self.snapshot.provenance

    @property
    def path(self) -> str:
        """Where the data is in the repository: a folder, or a file."""
        return self.snapshot.data

    @property
    def digest(self) -> str:
        """The md5 by which DVC knows the data."""
        return self.snapshot.data_md5

    @cached_property
    def urls(self) -> dict[str, str]:
        """Return {path in the repository: URL in the remote} of every file of the data."""
        return {path: self._remote.place(md5).url for path, md5 in self._files.items()}

    def fetch(
        self,
        folder: str | os.PathLike[str],
        *,
        cache: str | os.PathLike[str] | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> Path:
        """Download the data into a new folder and return its path there: processed/, or the file that it is.

        The folder appears when all of the data is in it; one that holds just this data already is left as it is. What
        was downloaded before comes from a cache, checked: the user's own, or the folder `cache`. RegistryError if
        `folder` is there and holds anything else, and for damaged data. `say` is told when another process fetches the
        same.
        """
        self._remote.check_remote()
        folder, objects = Path(folder), ObjectCache(cache)
        target = folder / PurePosixPath(self.path).name
        with self._downloading(folder):
            try:
                if folder.exists():
                    raise FileExistsError(folder)
                with objects.new_folder(folder, self.digest, say) as partial:
                    self._copy(objects, partial / target.name)
            except FileExistsError:
                there = list(folder.iterdir()) if folder.is_dir() else []
                if there != [target] or dvc_digest(target) != self.digest:
                    raise RegistryError("already exists", where=folder, hint="name a new folder") from None
        return target

    @contextmanager
    def _downloading(self, folder: Path) -> Iterator[None]:
        """Say what is wrong with what is downloaded, or with the folder that it goes to."""
        try:
            yield
        except DamagedDownloadError as error:
            raise self._remote.damaged(*error.args) from None
        except OSError as error:
            if error.errno in FULL:
                raise
            raise RegistryError(
                f"cannot write there: {error.strerror}",
                where=error.filename or folder,
                hint="name another folder, or one that you may write to; the cache is in --cache or $REGISTRY_CACHE",
            ) from None

    def _copy(self, objects: ObjectCache, target: Path) -> None:
        objects.copy({target: self.digest}, self._remote.download, self.digest)
        if self.digest.endswith(FOLDER):
            where, size = f"{self.tag}: the list of its files", target.stat().st_size
            if size > MAX_LISTING:
                raise GateError(f"{size:,} bytes, more than {MAX_LISTING:,}", where=where)
            listed = read_listing(target.read_bytes(), where=where)
            target.unlink()
            target.mkdir()
            objects.copy({target / path: md5 for path, md5 in listed.items()}, self._remote.download, self.digest)

    def _local(self, paths: Sequence[str]) -> dict[str, Path]:
        """Return {path in the repository: where the cache has it}, downloaded where it lacks it, and checked once."""
        objects = ObjectCache()
        md5s = {self._files[path] for path in paths}
        new = [md5 for md5 in md5s if md5 not in self._held or not self._held[md5].is_file()]
        with self._downloading(objects.folder):
            self._held.update(objects.hold(new, self._remote.download, self.digest, _log.warning) if new else {})
        return {path: self._held[self._files[path]] for path in paths}

    @cached_property
    def _held(self) -> dict[str, Path]:
        return {}

    @cached_property
    def _files(self) -> dict[str, str]:
        """Return {path in the repository: md5} of every file of the data."""
        if not self.digest.endswith(FOLDER):
            return {self.path: self.digest}
        listed = read_listing(self._remote.read(self.digest), where=f"{self.tag}: the list of its files")
        return {f"{self.path}/{path}": md5 for path, md5 in listed.items()}

    def _check_sizes(self) -> None:
        """Raise RegistryError unless the remote has as many files and bytes of the data as were released."""
        recorded, sizes = self.provenance["data"], self._remote.sizes(list(self._files.values()))
        if (len(sizes), sum(sizes)) != (recorded["files"], recorded["bytes"]):
            raise RegistryError(
                f"its DVC remote has {len(sizes):,} files with {sum(sizes):,} bytes of it, where {recorded['files']:,} "
                f"with {recorded['bytes']:,} were released",
                where=self.tag,
                hint=f"in a checkout, `registry verify --remote {self._remote.name}` says what is missing or damaged",
            )
