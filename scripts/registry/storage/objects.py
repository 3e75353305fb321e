"""A cache of what was downloaded, one per user: files by their md5, each of which is checked whenever it is taken."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from registry.errors import RegistryError
from registry.files import dvc_digest, json_digest, remove
from registry.gate import FOLDER

VARIABLE = "REGISTRY_CACHE"
"""Set in the environment, it names the folder of the cache."""
BATCH = 200
"""Files after which a download that is interrupted need not begin again."""
_CHUNK = 1 << 20

Download = Callable[[Mapping[str, Path]], None]
"""Writes the objects {md5: new file}."""


class DamagedDownloadError(Exception):
    """What was downloaded is not what its md5, the argument, says."""


class ObjectCache:
    """The cache in a folder, by default the user's own.

    Processes may share it: an object appears in it whole, and never changes.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = Path(folder or os.getenv(VARIABLE) or user_cache_path("data-registry")).expanduser().absolute()

    @contextmanager
    def new_folder(self, folder: Path, name: str, say: Callable[[str], None]) -> Iterator[Path]:
        """Yield an empty folder, which is called `folder` when the block ends well, and else is gone.

        `name` stands for what it will hold: of several processes that make the same, one works and the others wait,
        which `say` tells. What one that was killed left behind is removed. Raises FileExistsError, when the block
        has ended, if `folder` is there by then and is not empty.
        """
        partial = folder.with_name(f".{folder.name}.{json_digest([str(self.folder), name])[:8]}.partial")
        with self._lock(name, say):
            remove(partial)
            partial.mkdir(parents=True)
            try:
                yield partial
                try:
                    partial.rename(folder)
                except OSError:
                    if not folder.exists():
                        raise
                    raise FileExistsError(folder) from None
            finally:
                shutil.rmtree(partial, ignore_errors=True)

    @contextmanager
    def _lock(self, name: str, say: Callable[[str], None]) -> Iterator[None]:
        (self.folder / "locks").mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "locks" / name)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(f"another process is fetching the same into {self.folder}: waiting for it")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def copy(self, files: Mapping[Path, str], download: Download, name: str) -> None:
        """Write {file: md5}, from the cache as far as it has them undamaged; the others are downloaded to it first.

        To be called while `new_folder` of the same name keeps others away. Raises RegistryError where the cache cannot
        be relied on, and DamagedDownloadError.
        """
        lacking = {path: md5 for path, md5 in files.items() if not self._take(md5, path)}
        self._bring_all(lacking.values(), download, name)
        for path, md5 in lacking.items():
            if not self._take(md5, path):
                raise RegistryError("files written here are damaged", where=self.folder, hint="check that disk")

    def hold(self, md5s: Iterable[str], download: Download, name: str, say: Callable[[str], None]) -> dict[str, Path]:
        """Return {md5: where the cache has it, to be read}; what it lacks, or has damaged, is downloaded first.

        `name` stands for what is wanted, as for `new_folder`. Raises DamagedDownloadError.
        """
        places = {md5: self._place(md5) for md5 in md5s}
        with self._lock(name, say):
            self._bring_all([md5 for md5, place in places.items() if not _is(place, md5)], download, name)
        return places

    def _place(self, md5: str) -> Path:
        return self.folder / "md5" / md5[:2] / md5[2:]

    def _take(self, md5: str, path: Path) -> bool:
        """Copy an object, and tell whether it is right; one that is damaged is removed from the cache."""
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.md5(usedforsecurity=False)
        try:
            with self._place(md5).open("rb") as source, path.open("wb") as target:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    target.write(chunk)
        except FileNotFoundError:
            return False
        if digest.hexdigest() == md5.removesuffix(FOLDER):
            return True
        self._place(md5).unlink(missing_ok=True)
        return False

    def _bring_all(self, md5s: Iterable[str], download: Download, name: str) -> None:
        """Download objects, some at a time."""
        md5s = sorted(set(md5s))
        for start in range(0, len(md5s), BATCH):
            self._bring(md5s[start : start + BATCH], download, self.folder / "incoming" / name)

    def _bring(self, md5s: Sequence[str], download: Download, incoming: Path) -> None:
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir(parents=True)
        try:
            download({md5: incoming / md5 for md5 in md5s})
            for md5 in md5s:
                if not _is(incoming / md5, md5):
                    raise DamagedDownloadError(md5)
                self._place(md5).parent.mkdir(parents=True, exist_ok=True)
                (incoming / md5).replace(self._place(md5))
        finally:
            shutil.rmtree(incoming, ignore_errors=True)


def _is(path: Path, md5: str) -> bool:
    """Tell whether there is a file that has this md5."""
    return path.is_file() and dvc_digest(path) == md5.removesuffix(FOLDER)
