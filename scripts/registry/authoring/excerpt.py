"""Cut samples from source files of any kind; what belongs together, such as a picture and its caption, stays so."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow.parquet as pq

from registry.authoring.drafts import Draft
from registry.authoring.layout import columns_in
from registry.authoring.pictures import is_text
from registry.authoring.sample import MOST_BYTES, OF_EACH, OVERHEAD, copy_samples, cut_samples, write_members
from registry.config.kinds import AS_IS
from registry.errors import RegistryError
from registry.formats.archives import SHORT, members
from registry.kinds.beside import IN_BRACES, copied
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


def cut(files: Mapping[str, Path], draft: Draft, folder: Path, first: Iterable[str]) -> dict[str, Path]:
    """Write a sample of each source file {name: path} into a folder; return {name: its path}.

    They have MOST_BYTES together at most; of files that stay as they are, there are all or none. `first` are as for
    `cut_samples`. Raises RegistryError where one of them would be empty.
    """
    if draft.kind == AS_IS:
        return copy_samples(files, folder)
    if draft.kind == "documents":
        documents = [[one] for one in _parts(files, lambda name: is_wanted(name, [f"*{end}" for end in FORMATS]))]
        return _written(files, _chosen(documents, MOST_BYTES), folder)
    if "table" in draft.params:
        return _with_rows(files, draft, folder)
    if draft.kind == "captions" and "image" not in draft.params:
        return _written(files, _chosen(_with_texts(files), MOST_BYTES), folder)
    if draft.layout and draft.layout.quoting == "none":
        folder.mkdir()
        for file, path in files.items():
            (folder / file).write_bytes(_without_quotes(path, draft.layout, MOST_BYTES // len(files)))
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


def _chosen(groups: Iterable[Sequence[Part]], most_bytes: int) -> list[Part]:
    """Return the parts of the first groups of each folder in turn, as many as fit into so many bytes."""
    by_folder: dict[str, list[Sequence[Part]]] = {}
    for group in groups:
        those = by_folder.setdefault(f"{group[0].file}/{group[0].name}".rpartition("/")[0], [])
        if len(those) < OF_EACH:
            those.append(group)
    chosen: list[Part] = []
    for those in zip_longest(*by_folder.values()):
        for group in filter(None, those):
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


def _with_rows(files: Mapping[str, Path], draft: Draft, folder: Path) -> dict[str, Path]:
    """Write pictures of source files, and the rows of the table that name them, in a file of its own or in one."""
    table = draft.params["table"]
    if table in files:
        others = {file: path for file, path in files.items() if file != table}
        rows, chosen = _rows_and_pictures(files[table], others, draft)
        return _written(files, chosen, folder, {table: {table: rows}})
    holder = next(file for file in files if table.startswith(f"{file}/"))
    inside = table.removeprefix(f"{holder}/")
    with copied(files[holder], inside) as path:
        rows, chosen = _rows_and_pictures(path, files, draft)
    return _written(files, chosen, folder, {holder: {inside: rows}})


def _rows_and_pictures(path: Path, files: Mapping[str, Path], draft: Draft) -> tuple[bytes, list[Part]]:
    """Return some rows of a table as a file, and the pictures that they name."""
    rows = pl.concat([*batches(path, draft.layout, columns_in(path, draft.layout))])
    template = draft.params["path"]
    columns = [rows[name].cast(pl.String) for name in IN_BRACES.findall(template)]
    text = IN_BRACES.sub("{}", template)
    places = [normal(text.format(*values)).removeprefix("./") for values in zip(*columns, strict=True)]
    named = {*places}
    parts = _parts(files, lambda name: normal(name) in named)
    chosen = _chosen(([part] for part in parts if normal(part.name) in named), MOST_BYTES - FOR_ROWS)
    shown = {normal(part.name) for part in chosen}
    rows = rows.filter(pl.Series([place in shown for place in places], dtype=pl.Boolean))
    return _fitting(rows, path, draft.layout, FOR_ROWS), chosen


def _without_quotes(path: Path, layout: Format, most_bytes: int) -> bytes:
    """Return a CSV file in which quotes are characters like others, or some of its rows if it is larger."""
    size = path.stat().st_size
    if size <= most_bytes:
        return path.read_bytes()
    if is_packed(path):
        raise RegistryError("no sample can be cut from it, as it is packed", where=path.name, hint="--no-sample")
    part, start, taken = Subsample(fraction=most_bytes / size, seed=0), 0, []
    for batch in batches(path, layout, columns_in(path, layout)):
        taken.append(batch.filter(part.takes_rows(start, batch.height)))
        start += batch.height
    return _fitting(pl.concat(taken), path, layout, most_bytes)


def _fitting(rows: pl.DataFrame, path: Path, layout: Format, most_bytes: int) -> bytes:
    """Return the first rows of a table as a file of so many bytes at most."""
    while rows.height:
        if len(data := _as_file(rows, path, layout)) <= most_bytes:
            return data
        rows = rows.head(rows.height // 2)
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
