"""Sources that stay where they are, because they are too large to be copied (`copy: false`).

raw/ has a pointer to each: a small file that says where it is and what it was when it was hashed. Beside raw/ is noted
how it looked then, by sizes and times, so that a later change shows without hashing it again.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from registry.config.load import IN_PLACE
from registry.errors import RegistryError
from registry.files import listing_sha256, sha256_of, write_json
from registry.formats.members import folder_members
from registry.sources.local import local_file
from registry.sources.raw import noted_looks


@dataclass(frozen=True)
class Look:
    """How a file or folder looks without reading it: its files with sizes in bytes, and a digest of these and times."""

    files: dict[str, int]
    digest: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self.files.values())


def look_at(path: Path, max_files: int | None) -> Look:
    """Look at a file, or with `max_files` at a folder, as it is copied elsewhere. Raises RegistryError."""
    if max_files is None:
        files = {"": local_file(path).size}
    else:
        files = {member.name: member.size for member in folder_members(path, max_members=max_files)}
    digest = hashlib.sha256()
    for name, size in files.items():
        digest.update(f"{size} {(path / name).stat().st_mtime_ns} {name}\n".encode())
    return Look(files, digest.hexdigest())


def hash_in_place(
    path: Path, *, max_bytes: int, max_files: int | None, known: Mapping[str, str] = MappingProxyType({})
) -> tuple[Look, str]:
    """Return how a file or folder looks, and its sha256 (see `content_sha256`). Raises RegistryError.

    Nothing is hashed again that looks as what is `known`, {digest of a look: sha256}.
    """
    look = look_at(path, max_files)
    if not look.files:
        raise RegistryError("there are no files")
    if max_files is None and not look.size:
        raise RegistryError("the file is empty")
    if look.size > max_bytes:
        raise RegistryError(f"larger than max_bytes ({max_bytes:,})")
    if look.digest in known:
        return look, known[look.digest]
    hashes = {name: sha256_of(path / name) for name in look.files}
    if look_at(path, max_files) != look:
        raise RegistryError("it changed while it was read")
    return look, hashes[""] if max_files is None else listing_sha256(hashes)


def write_pointer(target: Path, entry: Mapping[str, Any]) -> None:
    """Write the pointer to a source into raw/; `entry` is what sources.json has of it."""
    write_json(target, {key: entry[key] for key in ("url", "bytes", "sha256", "files") if key in entry})


def source_path(path: str | Path) -> Path:
    """Return where a source is whose path in raw/ a rule names: elsewhere if that is a pointer, else there.

    Both begin at the repository's root. Raises RegistryError if it is not there, or not what it was when it was hashed.
    """
    path = Path(path)
    if not path.name.endswith(IN_PLACE):
        return path
    pointer = json.loads(path.read_text(encoding="utf-8"))
    place, max_files = Path(pointer["url"]), sys.maxsize if "files" in pointer else None
    try:
        look, noted = look_at(place, max_files), noted_looks(path.parents[-3]).get(pointer["url"], {})
        same = look.digest == noted.get("digest")
        if not same and look.size == pointer["bytes"]:  # It was hashed on another machine, or touched.
            same = hash_in_place(place, max_bytes=look.size, max_files=max_files)[1] == pointer["sha256"]
    except RegistryError as error:
        hint = "bring it there, or name a place in config/datasets/ where it is"
        raise RegistryError(f"it is read where it is, and not copied: {error.reason}", where=place, hint=hint) from None
    if not same:
        hint = "run its download again, with --forcerun: that says what to do about its new hash"
        raise RegistryError("changed since it was hashed", where=place, hint=hint)
    return place


def changed_in_place(folder: Path, root: Path) -> list[str]:
    """Return the addresses of the sources of the dataset in `folder` that look otherwise than when they were hashed.

    Those that are not there, or were hashed on another machine, cannot be told.
    """
    return [
        url
        for url, noted in noted_looks(folder).items()
        if (root / url).exists() and not _looks(root / url, noted["max_files"], noted["digest"])
    ]


def _looks(path: Path, max_files: int | None, digest: str) -> bool:
    try:
        return look_at(path, max_files).digest == digest
    except RegistryError:
        return False
