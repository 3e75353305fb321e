"""The folder of a catalog: only what changed is written again, and nothing goes that the catalog did not write."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from registry.errors import RegistryError
from registry.files import PARTIAL, atomic_file, read_regular, write_json
from registry.gate import GateError, checked_inside, read_json

RECORD = "catalog.json"
"""What the catalog has written, and of what."""
MAX_RECORD = 256 << 20
OWN = re.compile(r"(?:index|diff)\.html|(?:static|data|datasets|pictures)/[A-Za-z0-9.-]+")
"""What a catalog writes: whatever a record may say, no other file goes."""


class Folder:
    """A folder that a catalog is written to; `before` is what the last one recorded of each dataset."""

    def __init__(self, place: Path, *, force: bool = False) -> None:
        self.place = place
        if not place.is_dir() and (place.exists() or place.is_symlink()):
            raise RegistryError("it is no folder", where=place, hint="name another one")
        record = self._recorded()
        if record is None and not force and place.exists() and not all(map(_is_partial, place.iterdir())):
            raise RegistryError(
                "there are other files than those of a catalog",
                where=place,
                hint="name another folder, or write into it with --force: what is there stays, unless it is called so",
            )
        known = record or {"datasets": {}, "files": []}
        self.before: Mapping[str, dict[str, Any]] = known["datasets"]
        self._old = {*known["files"], *_files_of(self.before)}
        self._files: set[str] = set()
        self.written = 0

    def _recorded(self) -> dict[str, Any] | None:
        try:
            found = read_json(read_regular(self.place / RECORD, MAX_RECORD), where=RECORD)
        except (OSError, GateError):
            return None
        if not isinstance(found, dict) or not isinstance(found.get("datasets"), dict):
            return None
        datasets = {name: one for name, one in found["datasets"].items() if _is_entry(one)}
        return {"datasets": datasets, "files": _own(found.get("files"))}

    def put(self, path: str, content: bytes) -> str:
        """Write a file, unless it is there already; return its path."""
        place = checked_inside(self.place, path)
        self._files.add(path)
        try:
            if place.stat().st_size == len(content) and place.read_bytes() == content:
                return path
        except OSError:
            pass
        with atomic_file(place) as partial:
            partial.write_bytes(content)
        self.written += 1
        return path

    def keep(self, paths: list[str]) -> bool:
        """Tell whether files of the last time are all there; if so, they stay."""
        if not all(path in self._old and checked_inside(self.place, path).is_file() for path in paths):
            return False
        self._files |= {*paths}
        return True

    def record(self, datasets: Mapping[str, Mapping[str, Any]]) -> None:
        """Write down what was written so far, and of which datasets, so that a catalog that was cut short goes on."""
        self.place.mkdir(parents=True, exist_ok=True)
        shared = (self._old | self._files) - _files_of(datasets)
        write_json(self.place / RECORD, {"datasets": datasets, "files": sorted(shared)})

    def close(self, datasets: Mapping[str, Mapping[str, Any]]) -> None:
        """Remove what the last catalog had more, and record what this one has."""
        for path in self._old - self._files:
            checked_inside(self.place, path).unlink(missing_ok=True)
        self._old = set()
        self.record(datasets)


def _files_of(datasets: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {path for one in datasets.values() for path in one["files"]}


def _is_partial(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(PARTIAL)


def _own(paths: Any) -> list[str]:
    """Return those of the paths that a catalog may have written."""
    known = paths if isinstance(paths, list) else []
    return [path for path in known if isinstance(path, str) and OWN.fullmatch(path)]


def _is_entry(entry: Any) -> bool:
    """Tell whether this is what is recorded of a dataset."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("key"), str | None)
        and isinstance(entry.get("summary"), dict)
        and isinstance(entry.get("files"), list)
        and _own(entry["files"]) == entry["files"]
    )
