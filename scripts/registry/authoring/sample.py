"""Cut a sample from source files: rows and pictures as they are, in their order, so many as a repository can carry."""

import bz2
import io
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from registry.errors import RegistryError
from registry.formats.archives import SHORT, members
from registry.formats.blocks import blocks, canonical_encoding
from registry.formats.json_arrays import is_array, objects
from registry.formats.members import Member
from registry.formats.records import record_ends
from registry.kinds.as_is import files_in
from registry.kinds.files import ROWS, Format, batches, columns_of, is_packed, unpacked
from registry.kinds.pictures import is_litter, is_picture, normal
from registry.sources.subsample import Subsample

Line = TypeVar("Line", str, bytes)
MOST_BYTES = 200_000
"""Bytes that the samples of a dataset have at most, of all its files together."""

OVERHEAD = 512
"""Bytes that a file takes beside its own, in an archive or in git."""
OF_EACH = 50
"""Pictures of a folder that are looked at."""


def balanced(classes: pl.Series, per_class: int) -> list[int]:
    """Return the positions of the first `per_class` values of each class, in order."""
    place = pl.int_range(pl.len())
    return classes.alias("class").to_frame().select(place.filter(place.over("class") < per_class)).to_series().to_list()


def cut_samples(
    files: Mapping[str, Path], layout: Format | None, folder: Path, first: Iterable[str] = ()
) -> dict[str, Path]:
    """Write a sample of each source file {name: path} into a folder; return {name: its path}.

    They have MOST_BYTES together at most. Without a layout, files are folders and archives of pictures. `first` are the
    places, such as `a.csv:17` and `pictures.zip:cat/1.jpg`, of rows and pictures that go before all others.
    """
    folder.mkdir()
    most_bytes = MOST_BYTES // len(files)
    for file, path in files.items():
        own = _places_in(file, first)
        if layout is None:
            cut_pictures(path, folder / file, most_bytes=most_bytes, first=own)
        else:
            cut_sample(path, layout, folder / file, most_bytes=most_bytes, first=rows_in(file, first))
    return {file: folder / file for file in files}


def _places_in(file: str, places: Iterable[str]) -> set[str]:
    return {place.removeprefix(f"{file}:") for place in places if place.startswith(f"{file}:")}


def rows_in(file: str, places: Iterable[str]) -> list[int]:
    """Return the positions of the rows of a file that are among places such as `a.csv:17`."""
    return sorted(int(row) for row in _places_in(file, places) if row.isdecimal())


def copy_samples(files: Mapping[str, Path], folder: Path) -> dict[str, Path]:
    """Copy source files and folders {name: path} into a folder, if they have MOST_BYTES together at most.

    Returns {name: its path}; nothing where they have more.
    """
    found = files_in(files)
    if sum(place.stat().st_size + OVERHEAD for place in found.values()) > MOST_BYTES:
        return {}
    for path, place in found.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place, folder / path)
    return {file: folder / file for file in files}


def cut_pictures(path: Path, target: Path, *, most_bytes: int = MOST_BYTES, first: Collection[str] = ()) -> None:
    """Write pictures of a folder or an archive to `target`, one of the same kind: `first`, then of each folder in turn.

    Raises RegistryError where not one is that small.
    """
    names, taken = _chosen(path, most_bytes, first), {}
    for member in members(path):
        if member.name in names:
            with member.open() as stream:
                taken[member.name] = stream.read()
    if not taken:
        raise RegistryError(f"not one picture fits into {most_bytes:,} bytes", where=path.name, hint="--no-sample")
    write_members(taken, path, target)


def write_members(taken: Mapping[str, bytes], path: Path, target: Path) -> None:
    """Write files {name: bytes} to `target`, a folder or an archive of the same kind as `path`."""
    if path.is_dir():
        for name, data in taken.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(data)
    elif path.suffix.lower() == ".zip":
        with zipfile.ZipFile(target, "w") as archive:
            for name, data in taken.items():
                archive.writestr(zipfile.ZipInfo(name), data)
    else:
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            for name, data in taken.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        pack(tar.getvalue(), target, name=path.stem)


def _chosen(path: Path, most_bytes: int, first: Collection[str]) -> set[str]:
    """Return the names of pictures that fit into so many bytes: `first`, then the first ones of each folder in turn."""
    before: list[Member] = []
    by_folder: dict[str, list[Member]] = {}
    for member in members(path):
        if is_picture(member.name) and not is_litter(member.name):
            those = before if normal(member.name) in first else by_folder.setdefault(member.name.rpartition("/")[0], [])
            if those is before or len(those) < OF_EACH:
                those.append(member)
    found = [*before, *(member for those in zip_longest(*by_folder.values()) for member in those if member)]
    return {found[place].name for place in _fitting([member.size + OVERHEAD for member in found], most_bytes)}


def _fitting(sizes: Iterable[int], room: int) -> list[int]:
    """Return the positions of what fits into so many bytes, each that still does."""
    chosen = []
    for place, size in enumerate(sizes):
        if size <= room:
            chosen.append(place)
            room -= size
    return chosen


def cut_sample(
    path: Path,
    layout: Format,
    target: Path,
    *,
    most_bytes: int = MOST_BYTES,
    first: Sequence[int] = (),
    seed: int = 0,
) -> None:
    """Write at most so many bytes of a file to `target`: all of it, if it is that small, else rows drawn by `seed`.

    The rows at the positions `first` go before those. Raises RegistryError where no row is that small, and for an Excel
    file that is larger.
    """
    size = path.stat().st_size
    if size <= most_bytes:
        shutil.copyfile(path, target)
        return
    if is_packed(path):
        with unpacked(path) as plain, TemporaryDirectory() as folder:
            sample = Path(folder, plain.name)
            cut_sample(plain, layout, sample, most_bytes=most_bytes, first=first, seed=seed)
            pack(sample.read_bytes(), target, name=plain.name)
        return
    draw = Draw(Subsample(fraction=most_bytes / size, seed=seed), np.asarray(first, dtype=np.int64))
    match layout.type:
        case "csv":
            encoding = canonical_encoding(layout.encoding)
            head = _header(path, encoding) if layout.header else ""
            _write_lines(_drawn_records(path, encoding, layout.header, draw), target, head, most_bytes, encoding)
        case "jsonl" if is_array(path):
            _write_lines(_drawn(objects(path), draw), target, "", most_bytes, "utf-8")
        case "jsonl":
            with path.open("rb") as stream:
                drawn = _drawn((line for line in stream if line.strip()), draw)
                lines = ((others, row, line.decode().rstrip("\r\n")) for others, row, line in drawn)
                _write_lines(lines, target, "", most_bytes, "utf-8")
        case "excel":
            what = f"larger than {most_bytes:,} bytes, and no sample can be cut from it"
            raise RegistryError(what, where=path.name, hint="--no-sample")
        case _:
            _write_rows(path, layout, target, draw, most_bytes)
    if not target.is_file():
        raise RegistryError(f"not one row fits into {most_bytes:,} bytes", where=path.name, hint="--no-sample")


class Draw(NamedTuple):
    """Which rows of a file may be in its sample: those drawn, and those at the positions `first`."""

    part: Subsample
    first: np.ndarray

    def rows(self, start: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return of `count` rows, from row `start` on, which may be in it, and which go before the others: bool."""
        first = np.isin(np.arange(start, start + count), self.first)
        return self.part.takes_rows(start, count) | first, first


def pack(data: bytes, target: Path, *, name: str = "") -> None:
    """Write bytes, as a file that is called `name`, in the way that files are packed which are named as `target` is.

    The file's own bytes depend on nothing else, and are the same from every Python.
    """
    suffix = target.suffix.lower()
    match SHORT.get(suffix, suffix):
        case ".gz":
            target.write_bytes(zlib.compress(data, level=9, wbits=zlib.MAX_WBITS + 16))
        case ".bz2":
            target.write_bytes(bz2.compress(data))
        case ".xz":
            target.write_bytes(lzma.compress(data))
        case ".zip":
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(zipfile.ZipInfo(name), data)
        case ".tar":
            target.write_bytes(data)
        case _:
            raise RegistryError(f"no sample can be packed as {suffix}", where=target.name, hint="--no-sample")


def _drawn(lines: Iterable[Line], draw: Draw) -> Iterator[tuple[bool, int, Line]]:
    """Yield those of some lines that may be in the sample, each after whether others go before it, and its position."""
    lines, start = iter(lines), 0
    while some := [*islice(lines, ROWS)]:
        rows, first = draw.rows(start, len(some))
        for number in np.flatnonzero(rows).tolist():
            yield not first[number], start + number, some[number]
        start += len(some)


def drawn_rows(
    path: Path, layout: Format, wanted: Mapping[str, pl.DataType], draw: Draw
) -> tuple[pl.DataFrame, np.ndarray]:
    """Return the rows of a file, with the wanted columns, that may be in its sample, and which go first: bool (n,)."""
    taken, before, start = [], [], 0
    for batch in batches(path, layout, wanted):
        rows, first = draw.rows(start, batch.height)
        taken.append(batch.filter(rows))
        before.append(first[rows])
        start += batch.height
    return pl.concat(taken), np.concatenate(before)


def _header(path: Path, encoding: str) -> str:
    """Return the first record of a sound CSV file, and its line break."""
    head, _ = next(iter(blocks(path, encoding))).parted()
    return head.text.removesuffix("\n").removesuffix("\r") + "\n"


def _drawn_records(path: Path, encoding: str, header: bool, draw: Draw) -> Iterator[tuple[bool, int, str]]:
    """Yield the records of a sound CSV file, without line breaks, that may be in the sample, as `_drawn` does."""
    start = 0
    for block in blocks(path, encoding):
        if header and block.line == 1:
            _, block = block.parted()
        data = block.encoded()
        ends = record_ends(np.frombuffer(data, np.uint8))
        begins = np.concatenate([np.zeros(1, np.int64), ends + 1])
        rows, first = draw.rows(start, len(ends))
        for number in np.flatnonzero(rows).tolist():
            line = data[begins[number] : ends[number]].decode().removesuffix("\r")
            yield not first[number], start + number, line
        start += len(ends)


def _write_lines(
    lines: Iterable[tuple[bool, int, str]], target: Path, head: str, most_bytes: int, encoding: str
) -> None:
    """Write a header, if there is one, and lines as `_drawn` yields them, as long as there is room."""
    found = sorted((others, row, f"{line}\n") for others, row, line in lines if len(line) < most_bytes)
    room = most_bytes - len(head.encode(encoding))
    chosen = [found[place] for place in _fitting((len(line.encode(encoding)) for *_, line in found), room)]
    if chosen:
        text = "".join(line for _, _, line in sorted(chosen, key=itemgetter(1)))
        target.write_bytes((head + text).encode(encoding))


def _write_rows(path: Path, layout: Format, target: Path, draw: Draw, most_bytes: int) -> None:
    """Write the rows that may be in the sample; where they are too large, half of them, and so on, without the last."""
    rows, first = drawn_rows(path, layout, dict.fromkeys(columns_of(path, layout), pl.String()), draw)
    others = np.random.default_rng(draw.part.seed).permutation(np.flatnonzero(~first))
    order = np.concatenate([np.flatnonzero(first), others])
    while len(order):
        some = rows[np.sort(order)]
        if layout.type == "parquet":
            pq.write_table(some.to_arrow().cast(pq.read_schema(path)), target)
        else:
            some.write_ipc(target, compression="uncompressed")
        if target.stat().st_size <= most_bytes:
            return
        target.unlink()
        order = order[: len(order) // 2]
