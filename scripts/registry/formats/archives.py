"""Read what is in a folder, a zip or a tar alike: member by member, in a stable order, and nothing is unpacked."""

import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from registry.errors import RegistryError

MAX_MEMBERS = 10_000_000
ZIPS = (".zip",)
TARS = (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
UTF8 = 0x800
ENCRYPTED = 0x1


class Member(NamedTuple):
    """A file in an archive: its path there, its size in bytes, and what opens it before the next one is asked for."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    """Tell whether a path is a folder, or named as an archive is."""
    return path.is_dir() or path.name.lower().endswith((*ZIPS, *TARS))


def members(path: Path) -> Iterator[Member]:
    """Yield the files in a folder (by name) or an archive (in its order).

    Raises RegistryError for what is no such archive, for a link, and for a name that leads out or is there twice.
    """
    if path.is_dir():
        found = _in_folder(path)
    elif path.name.lower().endswith(ZIPS):
        found = _in_zip(path)
    else:
        found = _in_tar(path)
    names: set[str] = set()
    for member in found:
        _check_name(member.name, path)
        if member.name in names:
            raise RegistryError(f"two members are called {member.name[:200]!r}", where=path.name)
        if len(names) == MAX_MEMBERS:
            raise RegistryError(f"more than {MAX_MEMBERS:,} members", where=path.name)
        names.add(member.name)
        yield member


def _check_name(name: str, path: Path) -> None:
    if name.startswith("/") or ".." in name.split("/") or "\0" in name or "\\" in name:
        raise RegistryError(f"a member is called {name[:200]!r}, which leads out of it", where=path.name)
    try:
        name.encode()
    except UnicodeEncodeError:
        raise RegistryError(f"the name of a member is not UTF-8: {name[:200]!r}", where=path.name) from None


def _in_folder(folder: Path) -> Iterator[Member]:
    for top, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            file = Path(top, name)
            inside = file.relative_to(folder).as_posix()
            if not stat.S_ISREG(file.lstat().st_mode):
                raise RegistryError(f"{inside} is a link or no plain file", where=folder.name)
            yield Member(inside, file.stat().st_size, lambda file=file: file.open("rb"))


def _in_zip(path: Path) -> Iterator[Member]:
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.is_dir():
                    continue
                if info.flag_bits & ENCRYPTED:
                    raise RegistryError(f"{info.filename[:200]!r} is encrypted", where=path.name)
                if stat.S_ISLNK(info.external_attr >> 16):
                    raise RegistryError(f"{info.filename[:200]!r} is a link", where=path.name)
                yield Member(_zip_name(info), info.file_size, lambda info=info: archive.open(info))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError) as error:
        raise RegistryError(f"not a sound zip file: {error}", where=path.name) from None


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Return a member's name; macOS writes UTF-8 without saying so, which then reads as code page 437."""
    if info.flag_bits & UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename


def _in_tar(path: Path) -> Iterator[Member]:
    try:
        with tarfile.open(path) as archive:
            for info in archive:
                if info.isdir():
                    continue
                if not info.isreg():
                    raise RegistryError(f"{info.name[:200]!r} is a link or no plain file", where=path.name)
                yield Member(info.name.removeprefix("./"), info.size, lambda info=info: archive.extractfile(info))
                archive.members = []  # Or it remembers all.
    except (tarfile.TarError, EOFError, OSError) as error:
        raise RegistryError(f"not a sound tar file: {error}", where=path.name) from None
