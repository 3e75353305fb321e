"""Write files and folders so that nobody ever sees half of one, and hash them."""

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

SNAKEMAKE_TIMESTAMP = ".snakemake_timestamp"
PARTIAL = ".partial"
"""How the hidden folders end in which something is written that is to appear whole."""


class Hashed(NamedTuple):
    """How many bytes a file has, and their hex SHA-256."""

    size: int
    sha256: str


def remove(path: Path) -> None:
    """Remove a file, a link itself, or a folder with all in it, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Give a file a second name, which takes no space; copy it where the file system allows no such links.

    Raises FileExistsError.
    """
    try:
        os.link(source, target)
    except OSError:
        with Path(source).open("rb") as content, Path(target).open("xb") as copy:
            shutil.copyfileobj(content, copy)


@contextmanager
def private_place(path: Path) -> Iterator[Path]:
    """Yield a new path of the same name, in a folder beside `path` that only this user can enter; it goes at the end.

    So nobody can put a link in its place, through which it would be written. What a killed process left behind goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.with_name(f".{path.name}{PARTIAL}")
    remove(folder)
    folder.mkdir(0o700)
    try:
        yield folder / path.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path near `path`; it takes that name if the block succeeds and is removed if it fails."""
    path = Path(path)
    with private_place(path) as partial:
        yield partial
        partial.replace(path)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty temporary folder near `path`; it replaces that folder if the block succeeds."""
    path = Path(path)
    with private_place(path) as partial:
        partial.mkdir()
        yield partial
        if path.exists():
            shutil.rmtree(path)
        partial.rename(path)


@contextmanager
def output_folder(path: str | Path) -> Iterator[Path]:
    """Do as atomic_folder, and write the folder's checksum beside it, for `data/emotion/processed` to `.processed.md5`.

    A rule whose script makes what is published names the checksum among its outputs.
    """
    with atomic_folder(path) as partial:
        yield partial
    seal(path)


@contextmanager
def output_file(path: str | Path) -> Iterator[Path]:
    """Do as atomic_file, and write the file's checksum beside it, as output_folder does."""
    with atomic_file(path) as partial:
        yield partial
    seal(path)


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as UTF-8 JSON, indented, in the order given. NaN and infinity raise ValueError: JSON has none."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_file(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def sha256_of(path: str | Path) -> str:
    """Return the hex SHA-256 of a file's bytes."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def listing_sha256(hashes: Mapping[str, str]) -> str:
    """Return the hex SHA-256 of {path in a folder: sha256}: that of what `sha256sum` prints of the files, by name."""
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def content_sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes, or of the listing of all files below a folder."""
    if not path.is_dir():
        return sha256_of(path)
    return listing_sha256({file.relative_to(path).as_posix(): sha256_of(file) for file in data_files(path)})


def json_digest(value: Any) -> str:
    """Return the hex SHA-256 of a JSON value, however a file may lay it out."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def hashed(path: Path) -> Hashed:
    """Return the size and the hash of a file."""
    return Hashed(path.stat().st_size, sha256_of(path))


def _md5_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


class _Both:
    """Takes bytes for an md5 and a SHA-256 at once."""

    def __init__(self) -> None:
        self.md5, self.sha256, self.size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0

    def update(self, content: memoryview) -> None:
        self.md5.update(content)
        self.sha256.update(content)
        self.size += len(content)


def _seal_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.md5")


def read_regular(path: str | Path, max_bytes: int) -> bytes:
    """Return the first bytes of a file. Raises OSError, also for a pipe, at which others would wait, or a device."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:  # noqa: PTH123
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "no plain file", str(path))
        return stream.read(max_bytes)


def sealed_path(seal: str | Path) -> Path:
    """Return the file or folder that a file which `seal` wrote stands beside."""
    return Path(seal).with_name(Path(seal).name.removeprefix(".").removesuffix(".md5"))


def seal(path: str | Path) -> None:
    """Write down beside a file or a folder what its digest is, so that a change by hand shows."""
    with atomic_file(_seal_of(Path(path))) as partial:
        partial.write_text(dvc_digest(path) + "\n", encoding="utf-8")


def sealed(path: str | Path) -> str | None:
    """Return the digest that was written down by `seal`; None where there is none."""
    seal_of = _seal_of(Path(path))
    return seal_of.read_text(encoding="utf-8", errors="replace").strip() if seal_of.is_file() else None


def data_files(path: Path) -> list[Path]:
    """Return the files that `path` stands for (itself, or all below it), sorted, as DVC sees them (.dvcignore).

    Snakemake's own are none of them, nor is what a killed process left half-written.
    """
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and not _is_ignored(file.relative_to(path)))


def _is_ignored(file: Path) -> bool:
    half_written = any(part.startswith(".") and part.endswith(PARTIAL) for part in file.parts)
    return half_written or file.name == SNAKEMAKE_TIMESTAMP


def dvc_digest(path: str | Path) -> str:
    """Return the md5 that DVC records for a file or a folder (`<md5>.dir`), so that the two can be compared.

    The folder's is the md5 of the JSON list of its files, as dvc_data.hashfile.tree.Tree writes it.
    """
    path = Path(path)
    return _as_dvc(path, {file: _md5_of(file) for file in data_files(path)})


def dvc_digest_and_hashes(path: Path) -> tuple[str, dict[Path, Hashed]]:
    """Return what `dvc_digest` does, and the hash of each file that `path` stands for, all of one reading."""
    found = {}
    for file in data_files(path):
        with file.open("rb") as stream:
            found[file] = hashlib.file_digest(stream, _Both)
    digest = _as_dvc(path, {file: both.md5.hexdigest() for file, both in found.items()})
    return digest, {file: Hashed(both.size, both.sha256.hexdigest()) for file, both in found.items()}


def _as_dvc(path: Path, md5s: Mapping[Path, str]) -> str:
    """Return DVC's digest of a file or a folder, of whose files these are the digests."""
    if path in md5s:
        return md5s[path]
    entries = [{"md5": md5, "relpath": file.relative_to(path).as_posix()} for file, md5 in md5s.items()]
    entries.sort(key=itemgetter("relpath"))
    listing = json.dumps(entries, sort_keys=True).encode()
    return hashlib.md5(listing, usedforsecurity=False).hexdigest() + ".dir"
