"""Pictures among source files: which of the members of folders and archives are some, and what becomes of each."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from registry.formats.archives import members
from registry.formats.images import SCALES, Limits, Picture, UnusableError, read_picture
from registry.kinds import batching

PROBLEMS = ("empty_files", "oversized", "corrupt", "unsupported", "narrow")
"""What can be wrong with a picture."""
POLICIES = dict.fromkeys(PROBLEMS, "fail") | {"narrow": "full"}
LIMITS = {"max_bytes": 20_000_000, "max_pixels": 50_000_000, "max_side": 20_000}
QUALITY = 95
AT_ONCE = 500
"""Pictures in memory at once, unless they are large."""
BYTES_AT_ONCE = 32 << 20
READ = frozenset({".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp"})
UNREAD = frozenset({".avif", ".dcm", ".heic", ".heif", ".jp2", ".jxl", ".pgm", ".ppm", ".psd", ".svg"})
"""How the names of pictures end that are not read here, so that they are missed."""
LITTER = frozenset({"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini"})
"""What systems leave beside pictures."""
BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
MAGIC = {
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"8BPS": "PSD",
    b"%PDF": "PDF",
    b"<svg": "SVG",
    b"<?xml": "SVG",
}


class Found(NamedTuple):
    """A picture among the source files: in which of them, its path there, and its bytes, at most one too many.

    `row` is the number and what else there is of the row of a table that holds it.
    """

    file: str
    path: str
    data: bytes
    row: tuple[int, Mapping[str, Any]] | None = None


class Judged(NamedTuple):
    """A picture and what became of it: upright RGB, or None with the `problem` that it has; `note` says more."""

    found: Found
    picture: Picture | None
    problem: str = ""
    note: str = ""


def normal(path: str) -> str:
    """Return a path as most systems spell it: macOS writes letters and their accents apart."""
    return unicodedata.normalize("NFC", path)


def is_litter(path: str) -> bool:
    """Tell whether a path is of a file that systems leave beside pictures."""
    return any(part.lower() in LITTER for part in path.split("/"))


def is_picture(path: str) -> bool:
    """Tell whether a file is a picture, as its name tells."""
    return Path(path).suffix.lower() in READ | UNREAD


def other_format(data: bytes) -> str | None:
    """Return the format of a picture that nothing here reads, as its first bytes tell; None for all others."""
    if data[4:8] == b"ftyp":
        return BRANDS.get(data[8:12])
    if data[128:132] == b"DICM":
        return "DICOM"
    return next((name for magic, name in MAGIC.items() if data.startswith(magic)), None)


def pictures_in(
    file: str,
    path: Path,
    max_bytes: int,
    wanted: Callable[[str], bool],
    counts: Counter[str],
    taken: Callable[[str], bool] = lambda place: True,
) -> Iterator[Found]:
    """Yield the pictures of the source file that is called `file`: itself, or the members of a folder or an archive.

    What is none, or not `wanted`, goes into `counts` alone, as hidden_files, system_files or other_files. Those that
    are not `taken` are neither counted nor read.
    """
    hidden: set[str] = set()
    alone = is_picture(file) and path.is_file()
    for member in members(path, hidden=hidden):
        place = normal(file if alone else member.name)
        if is_litter(place):
            counts["system_files"] += 1
        elif not wanted(place):
            counts["other_files"] += 1
        elif taken(place):
            with member.open() as stream:
                yield Found(file, place, stream.read(max_bytes + 1))
    counts.update({"hidden_files": len(hidden)} if hidden else {})


def in_batches(pictures: Iterable[Found]) -> Iterator[list[Found]]:
    """Yield pictures in their order, few enough at once for memory."""
    return batching.in_batches(pictures, lambda found: len(found.data), AT_ONCE, BYTES_AT_ONCE)


@dataclass(frozen=True)
class Reader:
    """Makes pictures upright RGB JPEGs, as the params of a dataset say."""

    limits: Limits
    quality: int
    scale: str | None
    threads: int

    @classmethod
    def of(cls, params: Mapping[str, Any], threads: int = 1) -> "Reader":
        """Return what reads the pictures of a dataset with these params, on so many threads."""
        limits = {name: params.get("limits", {}).get(name, most) for name, most in LIMITS.items()}
        narrow = params.get("problems", {}).get("narrow", POLICIES["narrow"])
        return cls(
            Limits(**limits),
            params.get("jpeg_quality", QUALITY),
            narrow if narrow in SCALES else None,
            threads,
        )

    def judge(self, found: Found) -> Judged:
        """Return what becomes of a picture."""
        if name := other_format(found.data):
            return Judged(found, None, "unsupported", f"{name} is not read here: make JPEG or PNG of it")
        try:
            picture = read_picture(found.data, self.limits, self.quality, self.scale)
        except UnusableError as error:
            return Judged(found, None, error.problem, str(error))
        return Judged(found, picture, "narrow" if picture.narrow else "")

    def batches(self, pictures: Iterable[Found]) -> Iterator[list[Judged]]:
        """Yield batches of pictures with what became of each, in their order."""
        with ThreadPoolExecutor(self.threads) as pool:
            for some in in_batches(pictures):
                yield [*pool.map(self.judge, some)]


def digest_of(data: bytes) -> bytes:
    """Return what tells a picture from others: the SHA-256 of its bytes as they came, cut to 16."""
    return hashlib.sha256(data).digest()[:16]
