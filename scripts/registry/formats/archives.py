"""Open archives that somebody else made: their members in one order, none from outside, and no bomb.

Names tell what a file is: `.zip`, `.tar`, a `.tar` or a single file with `.gz`, `.bz2`, `.xz` or `.zst`; `.tgz` and its
like. Archives in archives stay closed.
"""

import bz2
import gzip
import io
import lzma
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from registry.errors import RegistryError
from registry.formats.members import Member, check_apart, check_name, folder_members, hidden_place

BLOCK = 512
"""Bytes in a block of a tar; one of zeros ends it."""
HEADER = 1 << 20
"""Bytes that a header of a tar may have, which is read at once."""
ENTRY = 128
"""Bytes that an entry in the listing of a zip has, on average at most; it is read at once."""
UTF8 = 0x800
"""Flag of a zip's member whose name is UTF-8."""
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How a zip's members may be packed: of the others, zipfile unfolds all that it has read at once, without bound."""
UNSOUND = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)
"""What the libraries raise for what is not sound, or what they do not know."""


@dataclass(frozen=True)
class Limits:
    """How far an archive may unfold: files and folders, bytes, and, from `free` bytes on, bytes for each of its own."""

    max_members: int = 1_000_000
    max_bytes: int = 100 << 30
    max_ratio: int = 250
    free: int = 100 << 20

    def bytes_of(self, size: int) -> int:
        """Return how many bytes an archive of a size may unfold to."""
        return min(self.max_bytes, max(self.free, self.max_ratio * size))


LIMITS = Limits()


def _zstd(path: Path) -> BinaryIO:
    return pa.input_stream(str(path), compression="zstd")


OPENERS: dict[str, Callable[[Path], BinaryIO]] = {
    ".gz": partial(gzip.open, mode="rb"),
    ".bz2": partial(bz2.open, mode="rb"),
    ".xz": partial(lzma.open, mode="rb"),
    ".zst": _zstd,
}
SHORT = {".tgz": ".gz", ".tbz2": ".bz2", ".txz": ".xz", ".tzst": ".zst"}
"""Suffixes of compressed tars in one word."""


def members(path: Path, limits: Limits = LIMITS, *, hidden: set[str] | None = None) -> Iterator[Member]:
    """Yield the files in an archive or below a folder, sorted by name; of another file, itself.

    Each can be opened while the iterator lasts; what it gives is a binary stream. Hidden files are left out (see
    `is_hidden`), and added to `hidden`, those in a hidden folder as one. A compressed tar is unpacked to a temporary
    file. Raises RegistryError for what is not sound, and before the first member for a name that leads out or is there
    twice, a link, what is encrypted or packed in a rare way, and what unfolds beyond the limits.
    """
    suffix, hidden = path.suffix.lower(), set() if hidden is None else hidden
    if path.is_dir():
        yield from folder_members(path, max_members=limits.max_members, hidden=hidden)
    elif suffix == ".zip":
        yield from _zip_members(path, limits, hidden)
    elif suffix == ".tar":
        with path.open("rb") as stream:
            yield from _tar_members(stream, path, limits, hidden)
    elif suffix in SHORT or (suffix in OPENERS and path.stem.lower().endswith(".tar")):
        with tempfile.TemporaryFile() as tar:
            with _unpacked(path, SHORT.get(suffix, suffix), limits) as stream:
                shutil.copyfileobj(stream, tar, 1 << 20)
            tar.flush()
            yield from _tar_members(tar, path, limits, hidden)
    elif suffix in OPENERS:
        yield Member(path.stem, None, partial(_unpacked, path, suffix, limits))
    else:
        yield Member(path.name, path.stat().st_size, partial(path.open, "rb"))


def _unpacked(path: Path, suffix: str, limits: Limits) -> BinaryIO:
    with _explained(path):
        stream = OPENERS[suffix](path)
    return io.BufferedReader(_Stream(stream, path, most=limits.bytes_of(path.stat().st_size)))


def _zip_members(path: Path, limits: Limits, hidden: set[str]) -> Iterator[Member]:
    with _Careful(path, most=ENTRY * limits.max_members, members=limits.max_members) as file:
        with _explained(path):
            archive = zipfile.ZipFile(file)
        file.most = None
        found = []
        for info in archive.infolist():
            name = _name(info)
            if info.is_dir():
                continue
            if place := hidden_place(name):
                hidden.add(place)
                continue
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.flag_bits & 1:
                raise RegistryError(f"{name} is encrypted", where=path.name, hint="pack it without a password")
            if info.compress_type not in PACKED:
                method = zipfile.compressor_names.get(info.compress_type, info.compress_type)
                raise RegistryError(f"{name} is packed with {method}", where=path.name, hint="pack it with deflate")
            if kind not in (0, stat.S_IFREG):
                raise _no_file(name, path)
            found.append(Member(name, info.file_size, partial(_in_zip, archive, info, path)))
        yield from _checked(found, path, limits)


def _name(info: zipfile.ZipInfo) -> str:
    """Return a member's name: many programs write UTF-8 and do not say so."""
    if info.flag_bits & UTF8:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.orig_filename


def _in_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> BinaryIO:
    with _explained(path):
        stream = archive.open(info)
    return io.BufferedReader(_Stream(stream, path, size=info.file_size))


def _tar_members(tar: BinaryIO, path: Path, limits: Limits, hidden: set[str]) -> Iterator[Member]:
    size = tar.seek(0, io.SEEK_END)
    with _Careful(tar.fileno(), most=HEADER, closefd=False) as file:
        found, number = [], 0
        file.seek(0)
        with _explained(path):
            listing = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115  it holds nothing but the file
            while (info := listing.next()) is not None:
                listing.members.clear()
                number += 1
                _check_number(number, path.name, limits.max_members)
                if info.size < 0:  # The next one would be before it, for ever.
                    raise RegistryError("cut off, or not sound", where=path.name)
                name = info.name.removeprefix("./")
                if info.isdir():
                    continue
                if place := hidden_place(name):
                    hidden.add(place)
                    continue
                if not info.isreg() or info.sparse is not None:
                    raise _no_file(name, path)
                if info.offset_data + info.size > size:
                    raise RegistryError("cut off, or not sound", where=path.name)
                found.append(Member(name, info.size, partial(_in_tar, tar, info.offset_data, info.size, path)))
            file.seek(listing.offset)
            if file.read(BLOCK) != bytes(BLOCK):
                raise RegistryError("cut off, or not sound", where=path.name)
        yield from _checked(found, path, limits)


def _in_tar(tar: BinaryIO, start: int, size: int, path: Path) -> BinaryIO:
    return io.BufferedReader(_Stream(_Slice(tar, start, size), path, size=size))


def _no_file(name: str, path: Path) -> RegistryError:
    return RegistryError(f"{name} is a link, or no plain file", where=path.name, hint="pack the files themselves")


def _check_number(number: int, archive: str, most: int) -> None:
    if number > most:
        raise RegistryError(f"more than {most:,} files and folders", where=archive)


def _checked(found: list[Member], path: Path, limits: Limits) -> list[Member]:
    """Return members sorted by name. Raises RegistryError for names that cannot be taken, and for too much."""
    if sum(member.size for member in found) > (most := limits.bytes_of(path.stat().st_size)):
        raise _bomb(path, most)
    found.sort(key=lambda member: member.name)
    try:
        for member in found:
            check_name(member.name)
        check_apart([member.name for member in found])
    except RegistryError as error:
        raise RegistryError(error.reason, where=path.name, hint=error.hint) from None
    return found


def _bomb(path: Path, most: int) -> RegistryError:
    hint = "if it is sound, unpack it, and name the folder"
    return RegistryError(f"it unfolds to more than {most:,} bytes", where=path.name, hint=hint)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except RegistryError:
        raise
    except UNSOUND as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise RegistryError(f"not a sound archive: {reason}", where=path.name) from None


class _Careful(io.FileIO):
    """A file that refuses to read more than `most` bytes at once, as a listing that lies would have it.

    And, if the listing of a zip is read, one of more than `members`, before each takes time and memory.
    """

    def __init__(self, file: Path | int, *, most: int | None, members: int | None = None, closefd: bool = True) -> None:
        super().__init__(file, "rb", closefd=closefd)
        self.most, self._members = most, members

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            size = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        if self.most is not None and size > self.most:
            raise ValueError(f"its listing has a part of more than {self.most:,} bytes")
        content = super().read(size)
        if self.most is not None and self._members is not None:
            _check_number(content.count(zipfile.stringCentralDir), Path(self.name).name, self._members)
        return content


class _Slice:
    """A part of a file, whose position it leaves alone: others read it, too."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._at, self._end = file, start, start + size

    def read(self, size: int) -> bytes:
        chunk = os.pread(self._file.fileno(), min(size, self._end - self._at), self._at)
        self._at += len(chunk)
        return chunk

    def close(self) -> None:
        """Leave the file open: it is others', too."""


class _Stream(io.RawIOBase):
    """What a member holds: not sound is one RegistryError, as is more than `most` bytes, or another number than `size`.

    A stream that another library gives, and that knows neither.
    """

    def __init__(
        self, stream: BinaryIO | _Slice, path: Path, *, most: int | None = None, size: int | None = None
    ) -> None:
        self._stream, self._path, self._most, self._size, self._given = stream, path, most, size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        with _explained(self._path):
            chunk = self._stream.read(len(buffer))
        self._given += len(chunk)
        if self._most is not None and self._given > self._most:
            raise _bomb(self._path, self._most)
        if self._size is not None and (self._given > self._size or (not chunk and self._given < self._size)):
            raise RegistryError("not a sound archive: a member has not as many bytes as it says", where=self._path.name)
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._stream.close()
        super().close()
