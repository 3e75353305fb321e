"""The folder of a catalog: only what changed is written again, and nothing goes that the catalog did not write.

`catalog.json` names the datasets and the files that all pages share, and `records/<dataset>.json` what was written of a
dataset: so a catalog of thousands has no large file, and one that was cut short goes on where it was. What is going to
be written is recorded first; so whatever a killed process leaves is known for the catalog's own, and goes.
"""

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from registry.catalog.summary import is_summary
from registry.config.names import NAME
from registry.errors import RegistryError
from registry.files import PARTIAL, atomic_file, read_regular
from registry.gate import MAX_DESCRIPTION, GateError, checked_inside, read_json

RECORD = "catalog.json"
"""Which datasets the catalog has, and which of its files are of none of them."""
OWN = re.compile(r"(?:index|diff)\.html|(?:static|data|datasets|pictures)/[A-Za-z0-9][A-Za-z0-9.-]*")
"""What a catalog writes: whatever a record may say, no other file goes."""


class Entry(NamedTuple):
    """What is recorded of a dataset.

    `key` says what its pages were drawn from, None where they are to be drawn again; `summary` is what the list of all
    datasets shows of it, and `left` are files of before, which go when the catalog is done.
    """

    key: str | None
    files: list[str]
    summary: dict[str, Any]
    left: tuple[str, ...] | list[str] = ()


class Folder:
    """A folder that a catalog is written to; `before` is what the last one recorded of each dataset."""

    def __init__(self, place: Path, *, force: bool = False) -> None:
        self.place = place
        record = self._read(RECORD)
        if not isinstance(record, dict):
            if not force and any(path.name != _partial_of(RECORD) for path in place.iterdir()):
                raise RegistryError(
                    "there are other files than those of a catalog",
                    where=place,
                    hint="name another folder, or write into it with --force: "
                    "what is there stays, unless it is called so",
                )
            record = {}
        self._names = [one for one in _texts(record.get("datasets")) if re.fullmatch(NAME, one)]
        self._shared = [one for one in _texts(record.get("files")) if OWN.fullmatch(one)]
        read = {name: _entry(self._read(_record_of(name)), name) for name in self._names}
        self.before: Mapping[str, Entry] = {name: entry for name, entry in read.items() if entry}
        self._old = {*self._shared, *(path for one in self.before.values() for path in (*one.files, *one.left))}
        self._files: set[str] = set()
        self.written = 0

    def _read(self, path: str) -> Any:
        """Return what a record says; None where there is none."""
        try:
            return read_json(read_regular(self.place / path, MAX_DESCRIPTION + 1), where=path)
        except (OSError, GateError):
            return None

    def begin(self, names: Iterable[str]) -> None:
        """Record that a catalog of these datasets is about to be written; remove what a killed one left half done."""
        own = {*self._old, *map(_record_of, self._names)}
        for folder in {path.rpartition("/")[0] for path in own}:
            for partial in (self.place / folder).glob(_partial_of("*")):
                path = f"{folder}/{partial.name[1:].removesuffix(PARTIAL)}".lstrip("/")
                if path in own:
                    _remove_partial(checked_inside(self.place, path))
        self._names = sorted({*self._names, *names})
        self._record(RECORD, {"datasets": self._names, "files": self._shared})

    def put(self, path: str, content: bytes) -> None:
        """Write a file, unless it is there already."""
        self._files.add(path)
        self.written += self._write(path, content)

    def keep(self, paths: Iterable[str]) -> bool:
        """Tell whether files of the last time are all there; if so, they stay."""
        if not all(checked_inside(self.place, path).is_file() for path in paths):
            return False
        self._files |= {*paths}
        return True

    def record(self, name: str, entry: Entry) -> None:
        """Write down what is, or is about to be, written of a dataset. What is there and is not ours is not claimed."""
        before = self.before.get(name)
        known = {*before.files, *before.left} if before else set()
        files = [path for path in entry.files if self._is_own(path) or not checked_inside(self.place, path).exists()]
        self._record(_record_of(name), entry._replace(files=files, left=sorted(known - {*entry.files}))._asdict())

    def _is_own(self, path: str) -> bool:
        return path in self._old or path in self._files

    def close(self, datasets: Mapping[str, Entry]) -> None:
        """Remove what the last catalog had more, and record what this one has."""
        gone = {_record_of(name) for name in self._names if name not in datasets}
        for path in gone | (self._old - self._files):
            place = checked_inside(self.place, path)
            if place.is_file() or place.is_symlink():
                place.unlink()
        for name, entry in datasets.items():
            self._record(_record_of(name), entry._replace(left=())._asdict())
        shared = self._files - {path for one in datasets.values() for path in one.files}
        self._record(RECORD, {"datasets": sorted(datasets), "files": sorted(shared)})

    def _record(self, path: str, value: Mapping[str, Any]) -> None:
        self._write(path, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    def _write(self, path: str, content: bytes) -> bool:
        """Write a file and return True, unless it is there already."""
        place = checked_inside(self.place, path)
        with suppress(OSError):
            if place.stat().st_size == len(content) and place.read_bytes() == content:
                return False
        with atomic_file(place) as partial:
            partial.write_bytes(content)
        return True


@contextmanager
def alone_in(place: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold off others who write a catalog to this folder; wait for one who does, and say so.

    A process that ends lets go of it. Where a file system has no such locks, nobody is held off. Raises RegistryError
    for what is no folder.
    """
    if not place.is_dir() and (place.exists() or place.is_symlink()):
        raise RegistryError("it is no folder", where=place, hint="name another one")
    place.mkdir(parents=True, exist_ok=True)
    opened = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another catalog is being written there; waiting for it")
                fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _record_of(name: str) -> str:
    return f"records/{name}.json"


def _partial_of(name: str) -> str:
    return f".{name}{PARTIAL}"


def _remove_partial(place: Path) -> None:
    """Remove what a killed process left of this file: a folder with no more than the half of it."""
    folder = place.with_name(_partial_of(place.name))
    if folder.is_dir() and not folder.is_symlink() and {*folder.iterdir()} <= {folder / place.name}:
        with suppress(IsADirectoryError, PermissionError):
            (folder / place.name).unlink(missing_ok=True)
            folder.rmdir()


def _texts(values: Any) -> list[str]:
    return [one for one in values if isinstance(one, str)] if isinstance(values, list) else []


def _entry(value: Any, name: str) -> Entry | None:
    """Return what is recorded of a dataset, if this is such."""
    if not isinstance(value, dict) or value.keys() != {*Entry._fields}:
        return None
    entry = Entry(**value)
    paths_of = (entry.files, entry.left)
    if not (isinstance(entry.key, str | None) and all(isinstance(paths, list) for paths in paths_of)):
        return None
    if not all(isinstance(path, str) and OWN.fullmatch(path) for paths in paths_of for path in paths):
        return None
    return entry if is_summary(entry.summary, name) else None
