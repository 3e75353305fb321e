"""What stands beside pictures: in a table that names them, in the table that holds them, in texts of the same names."""

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.types as pat

from registry.errors import RegistryError
from registry.formats.archives import members
from registry.formats.parquet import ROWS, batches_of, open_parquet, plain_schema
from registry.kinds.columns import Columns
from registry.kinds.files import Format, batches, types_beside
from registry.kinds.folders import OF_PICTURES, Placed, classes_of, key_of
from registry.kinds.inputs import CAPTION, LABEL
from registry.kinds.pictures import Found, is_litter, is_picture, normal, pictures_in
from registry.kinds.rows import positions
from registry.sources.subsample import Subsample

IN_BRACES = re.compile(r"\{([^{}]+)\}")
LONGEST = 1 << 20
"""Bytes that a text beside a picture may have."""


def _columns(contract: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[Columns, list[str]]:
    """Return what makes the columns of rows that pictures do not make, and which others say the split."""
    own = {name: spec for name, spec in contract.items() if name not in OF_PICTURES}
    split = params.get("split", {})
    beside = [name for name in (split.get("column"), *split.get("by", ())) if name and name not in contract]
    return Columns(own, params.get("columns", {})), beside


def _unknown(columns: pl.DataFrame, classes: Sequence[str]) -> dict[str, pl.Series]:
    """Return which labels are of no class, if classes are known."""
    if not classes or LABEL not in columns.columns or columns[LABEL].dtype != pl.String:
        return {}
    return {"unknown_classes": ~columns[LABEL].is_in(classes).fill_null(value=True)}


def named_places(rows: pl.DataFrame, template: str) -> list[str]:
    """Return the path of the picture that each row names by a template such as `images/{id}.jpg`; "" for a null."""
    text = IN_BRACES.sub("{}", template)
    columns = [rows.get_column(name).cast(pl.String) for name in IN_BRACES.findall(template)]
    return [
        "" if None in values else normal(text.format(*values)).removeprefix("./")
        for values in zip(*columns, strict=True)
    ]


class Table:
    """Each row of a table is a row, and names its picture. All are in memory, with their paths, but no pictures."""

    def __init__(self, path: Path, contract: Mapping[str, Any], params: Mapping[str, Any]) -> None:
        self._columns, self._beside = _columns(contract, params)
        self._file, self._template, self._key = params["table"], params["path"], params.get("key")
        self._keys: list[str | None] = []
        self._classes = classes_of(params)
        layout = Format(**params.get("format", {}), names=params.get("names", ()))
        wanted, named = self._columns.wanted(), [*IN_BRACES.findall(self._template), *self._beside]
        texts = types_beside(path, layout, named)
        # In JSON, a number is none in quotes; elsewhere, 007 is no number.
        wanted = texts | wanted if layout.type_of(path) == "jsonl" else wanted | texts
        parts, places, start = [], [], 0
        for batch in batches(path, layout, wanted):
            rows = self._columns.converted(batch, self._file, start)
            parts.append(pl.DataFrame([*rows, *(batch.get_column(name).cast(pl.String) for name in self._beside)]))
            places += named_places(batch, self._template)
            named = rows[self._key].cast(pl.String) if self._key else positions(self._file, start, batch.height)
            self._keys += named.to_list()
            start += batch.height
        if not parts:
            raise RegistryError("it has no rows, so that no picture is named", where=self._file)
        part = Subsample(**params.get("sample", {}))
        self._rows = pl.concat(parts)
        self._file_of: dict[str, str] = {}
        self._places_of = places
        self._by_path: dict[str, list[int]] = {}
        self._left_out: set[str] = set()
        self._found = [False] * start
        for row, place in enumerate(places):
            if part.takes(place) and not part.ends_before(row):
                self._by_path.setdefault(place, []).append(row)
            else:
                self._left_out.add(place)
                self._found[row] = True  # it is not missed

    def pictures(
        self, files: Mapping[str, Path], max_bytes: int, counts: Counter[str]
    ) -> Iterator[tuple[str, Iterator[Found]]]:
        """Yield each source file but the table with the pictures in it that a row names which is taken."""
        taken = self._by_path.__contains__
        for file, path in files.items():
            if file != self._file:
                yield file, pictures_in(file, path, max_bytes, partial(self._is_used, file), counts, taken)

    def _is_used(self, file: str, place: str) -> bool:
        is_table = normal(f"{file}/{place}") == normal(self._file)
        return is_table or place in self._by_path or place in self._left_out

    def place(self, pictures: Sequence[Found]) -> Placed:
        """Return the rows that name these pictures. Raises RegistryError where two source files have one."""
        for found in pictures:
            if (other := self._file_of.setdefault(found.path, found.file)) != found.file:
                hint = "give each source file folders or names of its own"
                message = f"two files are {found.path}: in {other} and in {found.file}"
                raise RegistryError(message, where=self._file, hint=hint)
        of = [(number, row) for number, found in enumerate(pictures) for row in self._by_path[found.path]]
        for _, row in of:
            self._found[row] = True
        return self._placed([number for number, _ in of], [row for _, row in of])

    def _placed(self, pictures: Sequence[int], rows: Sequence[int]) -> Placed:
        columns = self._rows[rows] if self._rows.width else pl.DataFrame()
        keys = pl.Series([self._keys[row] for row in rows], dtype=pl.String)
        return Placed(pictures, keys, columns, _unknown(columns, self._classes))

    def missing(self) -> Iterator[Placed]:
        """Yield the rows whose pictures were not there."""
        if rows := [row for row, found in enumerate(self._found) if not found]:
            notes = pl.Series([self._places_of[row] for row in rows], dtype=pl.String)
            yield self._placed([], rows)._replace(notes=notes)


class Embedded:
    """Parquet files that hold pictures in a column, as bytes or as {bytes, path}: each row is a row."""

    def __init__(self, contract: Mapping[str, Any], params: Mapping[str, Any]) -> None:
        self._columns, self._beside = _columns(contract, params)
        self._image, self._key, self._classes = params["image"], params.get("key"), classes_of(params)
        self._part = Subsample(**params.get("sample", {}))
        self._schema = pa.schema([])

    def pictures(
        self, files: Mapping[str, Path], max_bytes: int, counts: Counter[str]
    ) -> Iterator[tuple[str, Iterator[Found]]]:
        """Yield each source file with its pictures."""
        for file, path in files.items():
            self._schema = self._schema_of(path)
            yield file, self._pictures(file, path)

    def _schema_of(self, path: Path) -> pa.Schema:
        """Return the schema of what is read of a file beside its pictures; RegistryError if it lacks a column."""
        wanted = [*self._columns.wanted(), *self._beside]
        with open_parquet(path) as file:
            types = {field.name: field.type for field in file.schema_arrow}
        if missing := [name for name in (self._image, *wanted) if name not in types]:
            raise RegistryError(f"there is no column {', '.join(missing)}: it has {', '.join(types)}", where=path.name)
        return plain_schema(path, [name for name in wanted if name != self._image])

    def _pictures(self, file: str, path: Path) -> Iterator[Found]:
        with open_parquet(path) as parquet:
            type_ = parquet.schema_arrow.field(self._image).type
        names = [*self._schema.names]
        if pat.is_struct(type_):
            inside = {field.name for field in type_}
            names += [f"{self._image}.{name}" for name in ("bytes", "path") if name in inside]
        else:
            names.append(self._image)
        for position, row in _rows_of(path, names, self._part):
            picture = row.pop(self._image)
            if isinstance(picture, dict):
                data, name = picture.get("bytes"), picture.get("path")
            else:
                data, name = picture, None
            if not isinstance(data, bytes | None):
                raise RegistryError(f"column {self._image} holds no pictures, but {type_}", where=path.name)
            yield Found(file, normal(name or ""), data or b"", (position, row))

    def place(self, pictures: Sequence[Found]) -> Placed:
        """Return the rows that hold these pictures."""
        rows = pl.DataFrame(pa.Table.from_pylist([found.row[1] for found in pictures], schema=self._schema))
        file, numbers = pictures[0].file if pictures else "", [found.row[0] for found in pictures]
        columns = self._columns.converted(rows, file, numbers)
        columns = pl.DataFrame([*columns, *(rows.get_column(name).cast(pl.String) for name in self._beside)])
        keys = pl.Series([f"{file}:{number}" for number in numbers], dtype=pl.String)
        if self._key:
            keys = columns[self._key].cast(pl.String)
        return Placed(range(len(pictures)), keys, columns, _unknown(columns, self._classes))

    def missing(self) -> Iterator[Placed]:
        """Yield nothing: rows hold their pictures."""
        yield from ()


def _rows_of(path: Path, names: Sequence[str], part: Subsample) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the values of each row of a Parquet file that is taken."""
    start = 0
    for batch in batches_of(path, names, ROWS):
        for row in np.flatnonzero(part.takes_rows(start, batch.num_rows)).tolist():
            yield start + row, batch.slice(row, 1).to_pylist()[0]
        start += batch.num_rows
        if part.ends_before(start):
            return


def table_in(files: Mapping[str, Path], contract: Mapping[str, Any], params: Mapping[str, Any]) -> Table:
    """Return the table that the params name: a source file, or one in a source folder or archive, `a.zip/b/c.csv`.

    Raises RegistryError where there is none.
    """
    name = params["table"]
    if name in files:
        return Table(files[name], contract, params)
    for file in [file for file in files if name.startswith(f"{file}/")]:
        with copied(files[file], normal(name.removeprefix(f"{file}/"))) as path:
            if path:
                return Table(path, contract, params)
    raise RegistryError("there is no such file among its sources", where=name, hint="put params.table right")


@contextmanager
def copied(path: Path, inside: str) -> Iterator[Path | None]:
    """Yield a copy of a file in a folder or an archive, None where it is not there; it is gone after the block."""
    for member in members(path):
        if normal(member.name) == inside:
            with TemporaryDirectory() as folder:
                copy = Path(folder, PurePosixPath(inside).name)
                with member.open() as stream, copy.open("wb") as target:
                    shutil.copyfileobj(stream, target)
                yield copy
            return
    yield None


class Texts:
    """Texts beside pictures, `a/1.txt` beside `a/1.jpg`, are their captions. All of them are in memory.

    Of a part of the pictures, only their texts are read.
    """

    def __init__(self, files: Mapping[str, Path], params: Mapping[str, Any]) -> None:
        self._texts: dict[str, bytes] = {}
        self._left: set[str] = set()
        part = Subsample(**params.get("sample", {}))
        self._taken = None if part.is_all else {stem for its in files.items() for stem in _stems(*its, part)}
        for file, path in files.items():
            for member in members(path):
                name = normal(member.name)
                if is_text(name) and not is_litter(name) and self._is_taken(file, name):
                    with member.open() as stream:
                        self._texts[_stem(file, name)] = stream.read(LONGEST + 1)
        self._left.update(self._texts)

    def pictures(
        self, files: Mapping[str, Path], max_bytes: int, counts: Counter[str]
    ) -> Iterator[tuple[str, Iterator[Found]]]:
        """Yield each source file with the pictures in it; texts are no other files there."""

        def is_used(place: str) -> bool:
            return is_picture(place) or is_text(place)

        def is_taken(file: str, place: str) -> bool:
            return is_picture(place) and self._is_taken(file, place)

        for file, path in files.items():
            yield file, pictures_in(file, path, max_bytes, is_used, counts, partial(is_taken, file))

    def _is_taken(self, file: str, path: str) -> bool:
        return self._taken is None or _stem(file, path) in self._taken

    def place(self, pictures: Sequence[Found]) -> Placed:
        """Return a row for each picture; the caption is null where there is no text beside it, or none in UTF-8."""
        stems = [_stem(found.file, found.path) for found in pictures]
        self._left.difference_update(stems)
        texts = [_decoded(self._texts.get(stem)) for stem in stems]
        unread = [stem in self._texts and text is None for stem, text in zip(stems, texts, strict=True)]
        keys = pl.Series([key_of(found) for found in pictures], dtype=pl.String)
        columns = pl.DataFrame({CAPTION: pl.Series(texts, dtype=pl.String)})
        return Placed(range(len(pictures)), keys, columns, {"not_utf8": pl.Series(unread, dtype=pl.Boolean)})

    def missing(self) -> Iterator[Placed]:
        """Yield the texts beside which there is no picture."""
        if keys := sorted(self._left):
            columns = pl.DataFrame({CAPTION: pl.Series([_decoded(self._texts[key]) for key in keys], dtype=pl.String)})
            yield Placed([], pl.Series([f"{key}.txt" for key in keys]), columns, {})


def _stems(file: str, path: Path, part: Subsample) -> Iterator[str]:
    """Yield what the pictures in a source file and the texts beside them have in common, of those that are taken."""
    taken = part.takes_each()
    for member in members(path):
        name = normal(member.name)
        if is_picture(name) and not is_litter(name) and taken(name):
            yield _stem(file, name)


def is_text(path: str) -> bool:
    """Tell whether a file may be the text beside a picture."""
    return PurePosixPath(path).suffix.lower() == ".txt"


def _stem(file: str, path: str) -> str:
    return f"{file}:{path.rpartition('.')[0]}"


def _decoded(text: bytes | None) -> str | None:
    """Return a text without the end of its last line; None for one that is not UTF-8, or far too long."""
    try:
        return None if text is None or len(text) > LONGEST else text.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        return None
