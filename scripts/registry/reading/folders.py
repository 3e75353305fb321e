"""The rows of pictures that are files: beside a table that names them, or beside conversations about them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from registry.errors import RegistryError
from registry.formats.parquet import MAX_CELL
from registry.reading.columns import FILE_NAME, IMAGE
from registry.reading.tables import PICTURES, File, ParquetRows, first_line, regrouped

ANNOTATIONS, IMAGES = "/annotations.json", "/images/"
"""A conversation about each picture of a folder stands in a file beside it."""
MAX_ANNOTATIONS = 512 << 20
"""Bytes that it may have."""
MAX_IMAGES = 2**31 - 1
"""Bytes that the pictures of one batch may have."""
PLACE = ("\x1ftable", "\x1frow")
"""The columns by which a row beside pictures tells where it is, while it has none; no file has any of such names."""
ROLES = {"human": "user", "gpt": "assistant"}
"""What annotations call those who speak, and what chat templates call them."""
CONVERSATIONS = pa.schema(
    [
        (FILE_NAME, pa.string()),
        (IMAGE, pa.binary()),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
    ]
)
"""The columns of a folder of pictures."""


@dataclass(frozen=True)
class RowsBesidePictures:
    """The rows of Parquet files that name pictures beside them, {table: {name of a picture: picture}}, with these."""

    tables: Mapping[File, Mapping[str, Path]]
    schema: pa.Schema

    def parts(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows, with few pictures at once. Raises RegistryError."""
        return self.batches(PICTURES)

    def batches(self, size: int, number: int = 0, of: int = 1) -> Iterator[pa.RecordBatch]:
        """Yield batches of `size` rows, but for the last, or a worker's share of them. Raises RegistryError.

        Only the pictures of these are read.
        """
        tables = [*self.tables.items()]
        for batch in regrouped(self._without_pictures(size), size, number, of):
            images = []
            for place, row, name in zip(*(batch[column].to_pylist() for column in (*PLACE, FILE_NAME)), strict=True):
                file, pictures = tables[place]
                images.append(_read(_found(name, pictures, row, file), name))
            columns = [_as_images(images) if name == IMAGE else batch[name] for name in self.schema.names]
            yield pa.record_batch(columns, schema=self.schema)

    def _without_pictures(self, size: int) -> Iterator[pa.RecordBatch]:
        """Yield all rows, at most `size` at once, with the columns PLACE for the table that each is in and where."""
        others = [field for field in self.schema if field.name not in (IMAGE, FILE_NAME)]
        stored = pa.schema([pa.field(FILE_NAME, pa.string()), *others])
        for place, file in enumerate(self.tables):
            first = 0
            for batch in ParquetRows([file], stored).parts(size):
                rows = range(first, first + batch.num_rows)
                columns = [*batch.columns, pa.repeat(place, len(rows)), pa.array(rows, pa.int64())]
                yield pa.record_batch(columns, names=[*stored.names, *PLACE])
                first += len(rows)


@dataclass(frozen=True)
class PictureRows:
    """The rows of folders of pictures, {annotations: {name of a picture: picture}}; `schema` is of CONVERSATIONS."""

    folders: Mapping[File, Mapping[str, Path]]
    schema: pa.Schema

    def parts(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows, with few pictures at once. Raises RegistryError."""
        return self.batches(PICTURES)

    def batches(self, size: int, number: int = 0, of: int = 1) -> Iterator[pa.RecordBatch]:
        """Yield batches of `size` rows, but for the last, or a worker's share of them. Raises RegistryError.

        Only the pictures of these are read.
        """
        wanted = IMAGE in self.schema.names
        rows = [row for file in self.folders for row in _annotated(file, self.folders[file] if wanted else None)]
        for start in range(number * size, len(rows), of * size):
            some = rows[start : start + size]
            columns = {name: [row[name] for row in some] for name in (FILE_NAME, "messages")}
            arrays = [
                _as_images([_read(row["path"], row[FILE_NAME]) for row in some])
                if field.name == IMAGE
                else pa.array(columns[field.name], field.type)
                for field in self.schema
            ]
            yield pa.record_batch(arrays, schema=self.schema)


def with_image(schema: pa.Schema) -> pa.Schema:
    """Return the schema of a table with a column for the pictures that it names, which comes after their names."""
    return schema.insert(schema.get_field_index(FILE_NAME) + 1, pa.field(IMAGE, pa.binary()))


def _annotated(file: File, pictures: Mapping[str, Path] | None) -> list[dict[str, Any]]:
    """Return the rows that an annotations.json describes, with the `path` of each picture unless none is wanted.

    Raises RegistryError.
    """
    if file.path.stat().st_size > MAX_ANNOTATIONS:
        raise RegistryError(f"it has more than {MAX_ANNOTATIONS:,} bytes", where=file.name)
    try:
        entries = json.loads(file.path.read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"not JSON: {first_line(error)}", where=file.name) from None
    if not isinstance(entries, list):
        raise RegistryError("not a list of annotations", where=file.name)
    rows = []
    for number, entry in enumerate(entries):
        try:
            name, turns = entry["image"], entry["conversations"]
            messages = [{"role": ROLES.get(turn["from"], turn["from"]), "content": turn["value"]} for turn in turns]
            pa.array([messages], CONVERSATIONS.field("messages").type)
            pa.array([name], pa.string())
        except (KeyError, TypeError, UnicodeError, pa.ArrowException):
            raise RegistryError(
                f"row {number} has no image and conversations of {{from, value}}", where=file.name
            ) from None
        if not isinstance(name, str):
            raise RegistryError(f"row {number} has no image and conversations of {{from, value}}", where=file.name)
        path = None if pictures is None else _found(name, pictures, number, file)
        rows.append({FILE_NAME: name, "messages": messages, "path": path})
    return rows


def _found(name: str | None, pictures: Mapping[str, Path], row: int, file: File) -> Path:
    """Return where the picture of a row is. Raises RegistryError."""
    if name not in pictures:
        raise RegistryError(f"row {row}: there is no picture {ascii(name)[:80]}", where=file.name)
    return pictures[name]


def _as_images(contents: Sequence[bytes]) -> pa.Array:
    size = sum(map(len, contents))
    if size > MAX_IMAGES:
        raise RegistryError(
            f"{len(contents):,} pictures with {size:,} bytes are too many at once", hint="take fewer rows at once"
        )
    return pa.array(contents, pa.binary())


def _read(path: Path, name: str) -> bytes:
    size = path.stat().st_size
    if size > MAX_CELL:
        raise RegistryError(f"it has {size:,} bytes, more than {MAX_CELL:,}", where=name)
    return path.read_bytes()
