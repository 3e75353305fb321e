"""The files below a folder, by their names: in one order everywhere, and none that leads out of it."""

import os
import re
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from registry.errors import RegistryError
from registry.files import SNAKEMAKE_TIMESTAMP

LONGEST = 255
"""Bytes that file systems allow a part of a path."""
_UNTAKEN = re.compile(r"[\x00-\x1f\x7f-\x9f\\\u2028\u2029\ud800-\udfff]")
"""What no name may hold: controls, ends of lines, backslashes (folders elsewhere), bytes that are not UTF-8."""


class Member(NamedTuple):
    """A file in a folder or an archive: its name there (`a/b.jpg`), its bytes if known before they are read."""

    name: str
    size: int | None
    open: Callable[[], BinaryIO]


def is_hidden(name: str) -> bool:
    """Tell whether a path has a part that begins with a dot, as what systems and programs leave beside data has."""
    return hidden_place(name) is not None


def hidden_place(name: str) -> str | None:
    """Return the path of the hidden file, or of the first hidden folder, to which a path leads; None for no such."""
    parts = name.split("/")
    for number, part in enumerate(parts, start=1):
        if part.startswith(".") and part not in (".", ".."):
            return "/".join(parts[:number])
    return None


def check_name(name: str) -> None:
    """Raise RegistryError for the path of a file that leads out of its folder, or that git or DVC cannot take."""
    parts = name.split("/")
    if not name or name.startswith("/") or ".." in parts:
        raise RegistryError("leads out of its folder", where=name or "a file without a name")
    if _UNTAKEN.search(name) or {"", "."} & {*parts}:
        hint = "rename it: no control characters, backslashes, empty parts or bytes that are not UTF-8"
        raise RegistryError("a name that cannot be taken", where=name, hint=hint)
    if any(len(part.encode()) > LONGEST for part in parts):
        raise RegistryError(f"a name of more than {LONGEST} bytes", where=f"{name[:80]}...", hint="shorten it")


def check_apart(names: list[str]) -> None:
    """Raise RegistryError for a name among sorted ones that is there twice, or is a folder of another as well."""
    taken = {*names}
    for name, following in zip(names, names[1:], strict=False):
        if name == following:
            raise RegistryError("there are two of this name", where=name)
    for folder in {folder for name in names for folder in _folders(name)} & taken:
        raise RegistryError("both a file and a folder", where=folder)


def _folders(name: str) -> list[str]:
    return [name[: match.start()] for match in re.finditer("/", name)]


def folder_members(
    folder: Path, *, max_members: int, matching: re.Pattern[str] | None = None, hidden: set[str] | None = None
) -> list[Member]:
    """Return the files below a folder whose names match, sorted by name, without hidden ones (see `is_hidden`).

    Hidden files but Snakemake's are added to `hidden`, all in a hidden folder as one. Raises RegistryError for a name
    that cannot be taken, a link that leads out of the folder or to a folder, what is no plain file, more than
    `max_members` files, and a folder that cannot be read.
    """
    hidden = set() if hidden is None else hidden

    def unreadable(error: OSError) -> None:
        raise RegistryError(str(error.strerror).lower(), where=error.filename)

    top, found = folder.resolve(), {}
    for place, folders, files in os.walk(folder, onerror=unreadable):
        below = Path(place)
        beside = [name for name in (*folders, *files) if is_hidden(name) and name != SNAKEMAKE_TIMESTAMP]
        hidden.update((below / name).relative_to(folder).as_posix() for name in beside)
        folders[:] = [name for name in folders if not is_hidden(name)]
        links = [name for name in folders if (below / name).is_symlink()]
        for path in [below / name for name in (*links, *files) if not is_hidden(name)]:
            name = path.relative_to(folder).as_posix()
            if matching and not matching.match(name):
                continue
            check_name(name)
            found[name] = _plain_size(path, top)
            if len(found) > max_members:
                raise RegistryError(f"more than {max_members:,} files", where=folder)
    return [Member(name, found[name], partial((folder / name).open, "rb")) for name in sorted(found)]


def _plain_size(path: Path, top: Path) -> int:
    """Return the bytes of a plain file; RegistryError for anything else, and for a link out of the folder `top`."""
    try:
        if path.is_symlink() and not path.resolve(strict=True).is_relative_to(top):
            raise RegistryError("a link that leads out of the folder", where=path)
        state = path.stat()
    except (OSError, RuntimeError):
        raise RegistryError("a link to nothing, or not readable", where=path) from None
    if not stat.S_ISREG(state.st_mode):
        raise RegistryError("no plain file", where=path)
    return state.st_size
