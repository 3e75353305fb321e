"""Find source files that lie on this machine, or on a disk that it shares."""

import re
import stat
from functools import partial
from pathlib import Path

from registry.errors import RegistryError
from registry.formats.members import Member, folder_members
from registry.sources.wildcards import fixed_part, has_wildcards


def local_file(path: Path) -> Member:
    """Return the plain file at a path. Raises RegistryError."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise RegistryError("no such file") from None
    except OSError as error:
        raise RegistryError(str(error.strerror).lower()) from None
    if not stat.S_ISREG(found.st_mode):
        raise RegistryError("no plain file")
    return Member(path.name, found.st_size, partial(path.open, "rb"))


def local_members(
    location: str | Path, max_files: int, root: Path = Path(), hidden: set[str] | None = None
) -> list[Member]:
    """Return the files below a folder, or those that match a path with wildcards, as `folder_members` does.

    The path may be relative to `root`, whose own name has no wildcards. `hidden` is for folders.
    """
    path = Path(location)
    if not has_wildcards(path.as_posix()):
        return folder_members(root / path, max_members=max_files, hidden=hidden)
    from fsspec.utils import glob_translate

    folder = fixed_part(path.as_posix())
    below = re.compile(glob_translate(path.relative_to(folder).as_posix()))
    return folder_members(root / folder, max_members=max_files, matching=below)
