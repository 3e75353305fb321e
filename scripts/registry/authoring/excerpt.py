"""Cut samples from source files of any kind; what belongs together, such as a picture and its caption, stays so."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain, zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from registry.authoring.drafts import Draft
from registry.authoring.layout import columns_in
from registry.authoring.sample import (
    MOST_BYTES,
    OF_EACH,
    OVERHEAD,
    Draw,
    copy_samples,
    cut_samples,
    drawn_rows,
    rows_in,
    write_members,
)
from registry.config.kinds import AS_IS
from registry.errors import RegistryError
from registry.formats.archives import SHORT, members
from registry.kinds.beside import copied, is_text, named_places
from registry.kinds.documents import FORMATS, is_wanted
from registry.kinds.files import Format, batches, is_packed
from registry.kinds.pictures import is_litter, is_picture, normal
from registry.sources.subsample import Subsample

FOR_ROWS = MOST_BYTES // 4
"""Bytes of the rows that name the pictures of a sample."""


class Part(NamedTuple):
    """A member of a source file, or the source file itself, where it holds none: its path there, and its bytes."""

    file: str
    name: str
    size: int

    def place(self, joint: str) -> str:
        """Return what names the row that is made of it: the file and the path there, joined so, or the file alone."""
        return self.name if self.name == self.file else f"{self.file}{joint}{normal(self.name)}"


def cut(files: Mapping[str, Path], draft: Draft, folder: Path, first: Collection[str]) -> dict[str, Path]:
    """Write a sample of each source file {name: path} into a folder; return {name: its path}.

    They have MOST_BYTES together at most; of files that stay as they are, there are all or none. `first` are as for
    `cut_samples`, and such as `pages.zip/a/1.md` of documents. Raises RegistryError where one of them would be empty.
    """
    if draft.kind == AS_IS:
        return copy_samples(files, folder)
    if draft.kind == "documents":
        documents = [[one] for one in _parts(files, lambda name: is_wanted(name, [f"*{end}" for end in FORMATS]))]
        return _written(files, _chosen(documents, MOST_BYTES, lambda part: part.place("/") in first), folder)
    if "table" in draft.params:
        return _with_rows(files, draft, folder, first)
    if draft.kind == "captions" and "image" not in draft.params:
        pictures = _with_texts(files)
        return _written(files, _chosen(pictures, MOST_BYTES, lambda part: part.place(":") in first), folder)
    if draft.layout and draft.layout.quoting == "none":
        folder.mkdir()
        for file, path in files.items():
            data = _without_quotes(path, draft.layout, MOST_BYTES // len(files), rows_in(file, first))
            (folder / file).write_bytes(data)
        return {file: folder / file for file in files}
    return cut_samples(files, draft.layout, folder, first)


def _holds_others(path: Path) -> bool:
    suffix = path.suffix.lower()
    return path.is_dir() or suffix in (".zip", ".tar", *SHORT) or path.stem.lower().endswith(".tar")


def _parts(files: Mapping[str, Path], wanted: Callable[[str], bool]) -> Iterator[Part]:
    """Yield the wanted members of source files, and the source files that are no folders and archives."""
    for file, path in files.items():
        if not _holds_others(path):
            yield Part(file, file, path.stat().st_size)
            continue
        for member in members(path):
            if wanted(member.name) and not is_litter(member.name):
                yield Part(file, member.name, member.size)


def _with_texts(files: Mapping[str, Path]) -> list[list[Part]]:
    """Return pictures, each with the text beside it."""
    together: dict[str, list[Part]] = {}
    for part in _parts(files, lambda name: is_picture(name) or is_text(name)):
        together.setdefault(f"{part.file}:{part.name.rpartition('.')[0]}", []).append(part)
    return [its for its in together.values() if len(its) > 1]


def _chosen(groups: Iterable[Sequence[Part]], most_bytes: int, is_first: Callable[[Part], bool]) -> list[Part]:
    """Return the parts of groups, as many as fit into so many bytes.

    Those with a part that is to be first go before the first ones of each folder in turn.
    """
    before: list[Sequence[Part]] = []
    by_folder: dict[str, list[Sequence[Part]]] = {}
    for group in groups:
        those = by_folder.setdefault(f"{group[0].file}/{group[0].name}".rpartition("/")[0], [])
        if any(map(is_first, group)):
            before.append(group)
        elif len(those) < OF_EACH:
            those.append(group)
    chosen: list[Part] = []
    for group in filter(None, chain(before, *zip_longest(*by_folder.values()))):
        size = sum(part.size + OVERHEAD for part in group)
        if size <= most_bytes:
            chosen += group
            most_bytes -= size
    return chosen


def _written(
    files: Mapping[str, Path], chosen: Iterable[Part], folder: Path, more: Mapping[str, Mapping[str, bytes]] = {}
) -> dict[str, Path]:
    """Write parts of source files, and `more` {file: {name: bytes}}; RegistryError where there is nothing of one."""
    folder.mkdir()
    names = {file: {part.name for part in chosen if part.file == file} for file in files}
    for file, path in files.items():
        taken = dict(more.get(file, {}))
        if not _holds_others(path):
            taken |= {file: path.read_bytes()} if file in names[file] and not taken else {}
        else:
            for member in members(path):
                if member.name in names[file]:
                    with member.open() as stream:
                        taken[member.name] = stream.read()
        if not taken:
            what = "nothing of what is in it fits" if _holds_others(path) else "it does not fit"
            raise RegistryError(f"{what} into a sample of {MOST_BYTES:,} bytes", where=file, hint="--no-sample")
        if _holds_others(path):
            write_members(taken, path, folder / file)
        else:
            [data] = taken.values()
            (folder / file).write_bytes(data)
    return {file: folder / file for file in files}


def _with_rows(files: Mapping[str, Path], draft: Draft, folder: Path, first: Collection[str]) -> dict[str, Path]:
    """Write pictures of source files, and the rows of the table that name them, in a file of its own or in one."""
    table = draft.params["table"]
    if table in files:
        others = {file: path for file, path in files.items() if file != table}
        rows, chosen = _rows_and_pictures(files[table], others, draft, rows_in(table, first))
        return _written(files, chosen, folder, {table: {table: rows}})
    holder = next(file for file in files if table.startswith(f"{file}/"))
    inside = table.removeprefix(f"{holder}/")
    with copied(files[holder], inside) as path:
        rows, chosen = _rows_and_pictures(path, files, draft, rows_in(table, first))
    return _written(files, chosen, folder, {holder: {inside: rows}})


def _rows_and_pictures(
    path: Path, files: Mapping[str, Path], draft: Draft, first: Collection[int]
) -> tuple[bytes, list[Part]]:
    """Return some rows of a table as a file, those at the positions `first` before all, and the pictures they name."""
    rows = pl.concat([*batches(path, draft.layout, columns_in(path, draft.layout))])
    places = named_places(rows, draft.params["path"])
    named, before = {*places}, {places[row] for row in first}
    groups = ([part] for part in _parts(files, lambda name: normal(name) in named) if normal(part.name) in named)
    chosen = _chosen(groups, MOST_BYTES - FOR_ROWS, lambda part: normal(part.name) in before)
    shown = {normal(part.name) for part in chosen}
    found = np.array([row for row, place in enumerate(places) if place in shown], dtype=np.int64)
    data, kept = _fitting(rows[found], np.isin(found, first), path, draft.layout, FOR_ROWS)
    shown = {places[row] for row in found[kept]}
    return data, [part for part in chosen if normal(part.name) in shown]


def _without_quotes(path: Path, layout: Format, most_bytes: int, first: Sequence[int]) -> bytes:
    """Return a CSV file in which quotes are characters like others, or, if it is larger, some of its rows.

    Those at the positions `first` go before those that are drawn.
    """
    size = path.stat().st_size
    if size <= most_bytes:
        return path.read_bytes()
    if is_packed(path):
        raise RegistryError("no sample can be cut from it, as it is packed", where=path.name, hint="--no-sample")
    draw = Draw(Subsample(fraction=most_bytes / size, seed=0), np.asarray(first, dtype=np.int64))
    rows, is_first = drawn_rows(path, layout, columns_in(path, layout), draw)
    data, _ = _fitting(rows, is_first, path, layout, most_bytes)
    return data


def _fitting(
    rows: pl.DataFrame, first: np.ndarray, path: Path, layout: Format, most_bytes: int
) -> tuple[bytes, np.ndarray]:
    """Return rows of a table, in their order, as a file of so many bytes at most, and their positions (n,).

    Where they are too large, some that are drawn are left out, and those of which `first` (n,) is true at last.
    """
    others = np.random.default_rng(0).permutation(np.flatnonzero(~first))
    order, number = np.concatenate([np.flatnonzero(first), others]), rows.height
    while number:
        kept = np.sort(order[:number])
        if len(data := _as_file(rows[kept], path, layout)) <= most_bytes:
            return data, kept
        if number == 1:  # It is too large by itself.
            order, number = order[1:], len(order) - 1
        else:
            number = max(1, number * most_bytes // len(data))
    raise RegistryError(f"not one row fits into {most_bytes:,} bytes", where=path.name, hint="--no-sample")


def _as_file(rows: pl.DataFrame, path: Path, layout: Format) -> bytes:
    """Return rows of a table as a file of the same format, laid out in the same way."""
    match layout.type:
        case "csv":
            style = "never" if layout.quoting == "none" else "necessary"
            separator = layout.separator_of(path)
            text = rows.write_csv(separator=separator, include_header=layout.header, quote_style=style)
            return text.encode(layout.encoding)
        case "jsonl":
            return rows.write_ndjson().encode()
        case "parquet":
            sink = BytesIO()
            pq.write_table(rows.to_arrow().cast(pq.read_schema(path)), sink)
            return sink.getvalue()
        case "arrow":
            rows.write_ipc(sink := BytesIO(), compression="uncompressed")
            return sink.getvalue()
    raise RegistryError("no sample can be cut from it", where=path.name, hint="--no-sample")
