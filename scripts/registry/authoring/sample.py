"""Cut a sample from a file of rows: some of them as they are, in their order, so many as a repository can carry."""

import bz2
import gzip
import io
import lzma
import shutil
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from itertools import compress, islice, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pyarrow.parquet as pq

from registry.errors import RegistryError
from registry.formats.archives import SHORT, members
from registry.formats.json_arrays import is_array, objects
from registry.formats.members import Member
from registry.formats.records import canonical_encoding, records
from registry.kinds.files import ROWS, Format, batches, columns_of, is_packed, unpacked
from registry.kinds.pictures import is_litter, is_picture
from registry.sources.subsample import Subsample

MOST_BYTES = 200_000
"""Bytes that the samples of a dataset have at most, of all its files together."""

OVERHEAD = 512
"""Bytes that a file in an archive takes beside its own."""
OF_EACH = 50
"""Pictures of a folder that are looked at."""


def cut_samples(files: Mapping[str, Path], layout: Format | None, folder: Path) -> dict[str, Path]:
    """Write a sample of each source file {name: path} into a folder; return {name: its path}.

    They have MOST_BYTES together at most. Without a layout, files are folders and archives of pictures.
    """
    folder.mkdir()
    most_bytes = MOST_BYTES // len(files)
    for file, path in files.items():
        if layout is None:
            cut_pictures(path, folder / file, most_bytes=most_bytes)
        else:
            cut_sample(path, layout, folder / file, most_bytes=most_bytes)
    return {file: folder / file for file in files}


def cut_pictures(path: Path, target: Path, *, most_bytes: int = MOST_BYTES) -> None:
    """Write pictures of a folder or an archive to `target`, one of the same kind, of each folder in turn.

    Raises RegistryError where not one is that small.
    """
    names, taken = _chosen(path, most_bytes), {}
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
        _pack(tar.getvalue(), path.stem, target)


def _chosen(path: Path, most_bytes: int) -> set[str]:
    """Return the names of the first pictures of each folder in turn, as many as fit into so many bytes."""
    by_folder: dict[str, list[Member]] = {}
    for member in members(path):
        if is_picture(member.name) and not is_litter(member.name):
            those = by_folder.setdefault(member.name.rpartition("/")[0], [])
            if len(those) < OF_EACH:
                those.append(member)
    chosen, size = set(), 0
    for those in zip_longest(*by_folder.values()):
        for member in filter(None, those):
            if size + member.size + OVERHEAD <= most_bytes:
                chosen.add(member.name)
                size += member.size + OVERHEAD
    return chosen


def cut_sample(path: Path, layout: Format, target: Path, *, most_bytes: int = MOST_BYTES, seed: int = 0) -> None:
    """Write at most so many bytes of a file to `target`: all of it, if it is that small, else rows drawn by `seed`.

    Raises RegistryError where no row is that small, and for an Excel file that is larger.
    """
    size = path.stat().st_size
    if size <= most_bytes:
        shutil.copyfile(path, target)
        return
    if is_packed(path):
        with unpacked(path) as plain, TemporaryDirectory() as folder:
            sample = Path(folder, plain.name)
            cut_sample(plain, layout, sample, most_bytes=most_bytes, seed=seed)
            _pack(sample.read_bytes(), plain.name, target)
        return
    fraction = most_bytes / size
    match layout.type:
        case "csv":
            encoding = canonical_encoding(layout.encoding)
            lines = (text for _, text, _ in records(path, separator=layout.separator_of(path), encoding=encoding))
            _write_lines(lines, target, layout.header, fraction, most_bytes, seed, encoding)
        case "jsonl":
            with path.open("rb") as stream:
                rows = (line.decode().rstrip("\r\n") for line in stream)
                lines = objects(path) if is_array(path) else rows
                _write_lines(lines, target, False, fraction, most_bytes, seed, "utf-8")
        case "excel":
            what = f"larger than {most_bytes:,} bytes, and no sample can be cut from it"
            raise RegistryError(what, where=path.name, hint="--no-sample")
        case _:
            _write_rows(path, layout, target, fraction, most_bytes, seed)
    if not target.is_file():
        raise RegistryError(f"not one row fits into {most_bytes:,} bytes", where=path.name, hint="--no-sample")


def _pack(data: bytes, name: str, target: Path) -> None:
    """Write bytes, as a file that is called `name`, in the way that files are packed which are named as `target` is.

    The file's own bytes depend on nothing else.
    """
    suffix = target.suffix.lower()
    match SHORT.get(suffix, suffix):
        case ".gz":
            target.write_bytes(gzip.compress(data, mtime=0))
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


def _write_lines(
    lines: Iterable[str], target: Path, header: bool, fraction: float, most_bytes: int, seed: int, encoding: str
) -> None:
    lines, part, start = iter(lines), Subsample(fraction=fraction, seed=seed), 0
    taken = [f"{line}\n" for line in islice(lines, int(header))]
    size = sum(len(line.encode(encoding)) for line in taken)
    while some := [*islice(lines, ROWS)]:
        for line in compress(some, part.takes_rows(start, len(some))):
            length = len(f"{line}\n".encode(encoding))
            if size + length <= most_bytes:
                taken.append(f"{line}\n")
                size += length
        start += len(some)
    if len(taken) > header:
        target.write_bytes("".join(taken).encode(encoding))


def _write_rows(path: Path, layout: Format, target: Path, fraction: float, most_bytes: int, seed: int) -> None:
    wanted = dict.fromkeys(columns_of(path, layout), pl.String())
    while fraction * path.stat().st_size > 1:
        taken, start, part = [], 0, Subsample(fraction=fraction, seed=seed)
        for batch in batches(path, layout, wanted):
            taken.append(batch.filter(part.takes_rows(start, batch.height)))
            start += batch.height
        rows = pl.concat(taken)
        if layout.type == "parquet":
            pq.write_table(rows.to_arrow().cast(pq.read_schema(path)), target)
        else:
            rows.write_ipc(target, compression="uncompressed")
        if rows.height and target.stat().st_size <= most_bytes:
            return
        target.unlink()
        fraction /= 2
