"""The rows of a version whose files are here: of tables, and of folders of pictures with conversations about them.

What is read is bounded and checked as it comes; what is wrong is one RegistryError that names the file as its
repository does. These objects hold no data, and can be sent to other processes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.types as pat

from registry.errors import RegistryError
from registry.formats.parquet import MAX_CELL, batches_of, explained, open_parquet, plain_schema

IMAGE, FILE_NAME = "image", "file_name"
"""The columns of a picture's bytes, and of its name."""
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""End the names of pictures that lie beside a table."""
ROWS = 10_000
"""Rows of a table that are read at once where all are wanted."""
PICTURES = 100
"""The same, of pictures."""
ANNOTATIONS, IMAGES = "/annotations.json", "/images/"
"""A conversation about each picture of a folder stands in a file beside it."""
MAX_ANNOTATIONS = 512 << 20
"""Bytes that it may have."""
MAX_IMAGES = 2**31 - 1
"""Bytes that the pictures of one batch may have."""
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


class File(NamedTuple):
    """A file of a version: where it is here, and what messages call it."""

    path: Path
    name: str


class Rows(Protocol):
    """Rows of one schema, in order."""

    schema: pa.Schema

    def parts(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows, in batches as they come. Raises RegistryError."""

    def batches(self, size: int, number: int = 0, of: int = 1) -> Iterator[pa.RecordBatch]:
        """Yield batches of `size` rows, but for the last: all, or those of worker `number` of so many, counted from 0.

        The first batch goes to the first worker, the second to the second, and so on. Raises RegistryError.
        """


def rows_of(
    kind: str,
    paths: Sequence[str],
    here: Mapping[str, File],
    columns: Sequence[str] | None,
    features: Mapping[str, Mapping[str, Any]],
) -> Rows:
    """Return the rows of files of one kind, parquet, csv or (ANNOTATIONS) json, one file after the other.

    They have these columns in this order, or all. `here` has the files by their paths in the repository, pictures too
    where these are wanted; `features` is what metadata.json knows of the columns. Raises RegistryError for a column
    that is not there.
    """
    files = [here[path] for path in paths]
    if kind == "parquet":
        schema = _parquet_schema(files[0])
        beside = len(here) > len(paths) and FILE_NAME in schema.names and IMAGE not in schema.names
        selected = _selected(_with_image(schema) if beside else schema, columns, files[0].name)
        if beside and IMAGE in selected.names:
            return RowsBesidePictures({here[path]: _below(f"{Path(path).parent}/", here) for path in paths}, selected)
        return ParquetRows(files, selected)
    if kind == "csv":
        with _open_csv(files[0], _known_types(features)) as reader:
            return CsvRows(files, _selected(reader.schema, columns, files[0].name))
    folders = {here[path]: _below(path.removesuffix(ANNOTATIONS) + IMAGES, here) for path in paths}
    return PictureRows(folders, _selected(CONVERSATIONS, columns, files[0].name))


def table_of(rows: Rows) -> pa.Table:
    """Return all rows as one table. Raises RegistryError."""
    return pa.Table.from_batches(rows.parts(), rows.schema)


def picture_columns(schema: pa.Schema, named: Sequence[str] | None = None) -> list[str]:
    """Return the columns that hold pictures: those `named`, else each `image` of bytes, and each {bytes, path}.

    Raises RegistryError for one that is named and holds no bytes.
    """
    if named is None:
        return [
            field.name
            for field in schema
            if _is_picture(field.type) or (field.name == "image" and _is_bytes(field.type))
        ]
    fit = [field.name for field in schema if _is_picture(field.type) or _is_bytes(field.type)]
    if odd := [name for name in named if name not in fit]:
        raise RegistryError(
            f"no pictures are in {', '.join(odd)}", hint=f"columns of bytes are: {', '.join(fit) or 'none'}"
        )
    return list(named)


@dataclass(frozen=True)
class ParquetRows:
    """The rows of Parquet files, each of which has the columns of `schema`."""

    files: Sequence[File]
    schema: pa.Schema

    def parts(self, size: int | None = None) -> Iterator[pa.RecordBatch]:
        """Yield all rows, at most `size` at once, else few if there are pictures among them. Raises RegistryError."""
        names = self.schema.names
        size = size or (PICTURES if picture_columns(self.schema) else ROWS)
        for file in self.files:
            lacking = [name for name in names if name not in _parquet_schema(file).names]
            if lacking:
                raise RegistryError(f"it lacks columns of the first file: {', '.join(lacking)}", where=file.name)
            with _called(file) as path:
                for batch in batches_of(path, names, size):
                    with explained(path):
                        plain = batch.select(names).cast(self.schema)
                    yield plain

    def batches(self, size: int, number: int = 0, of: int = 1) -> Iterator[pa.RecordBatch]:
        """Yield batches of `size` rows, but for the last, or a worker's share of them. Raises RegistryError."""
        return _regrouped(self.parts(size), size, number, of)


@dataclass(frozen=True)
class RowsBesidePictures:
    """The rows of Parquet files that name pictures beside them, {table: {name of a picture: picture}}, with these."""

    tables: Mapping[File, Mapping[str, Path]]
    schema: pa.Schema

    def parts(self, size: int = PICTURES) -> Iterator[pa.RecordBatch]:
        """Yield all rows, at most `size` at once. Raises RegistryError."""
        for file, pictures in self.tables.items():
            present = _parquet_schema(file)
            names = dict.fromkeys([FILE_NAME, *(name for name in self.schema.names if name != IMAGE)])
            first = 0
            for batch in ParquetRows([file], _selected(present, list(names), file.name)).parts(size):
                rows = enumerate(batch[FILE_NAME].to_pylist(), start=first)
                images = [_read(_found(name, pictures, row, file), name) for row, name in rows]
                columns = [_as_images(images) if name == IMAGE else batch[name] for name in self.schema.names]
                yield pa.record_batch(columns, self.schema)
                first += batch.num_rows

    def batches(self, size: int, number: int = 0, of: int = 1) -> Iterator[pa.RecordBatch]:
        """Yield batches of `size` rows, but for the last, or a worker's share of them. Raises RegistryError."""
        return _regrouped(self.parts(size), size, number, of)


@dataclass(frozen=True)
class CsvRows:
    """The rows of CSV files, each of which has the columns of `schema`."""

    files: Sequence[File]
    schema: pa.Schema

    def parts(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows, a megabyte at once. Raises RegistryError."""
        types = dict(zip(self.schema.names, self.schema.types, strict=True))
        for file in self.files:
            with _open_csv(file, types) as reader:
                for batch in reader:
                    yield batch.select(self.schema.names)

    def batches(self, size: int, number: int = 0, of: int = 1) -> Iterator[pa.RecordBatch]:
        """Yield batches of `size` rows, but for the last, or a worker's share of them. Raises RegistryError."""
        return _regrouped(self.parts(), size, number, of)


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
            yield pa.record_batch(arrays, self.schema)


def _parquet_schema(file: File) -> pa.Schema:
    """Return what is in a Parquet file, without dictionaries. Raises RegistryError."""
    with _called(file) as path, open_parquet(path) as opened:
        return plain_schema(path, opened.schema_arrow.names)


@contextmanager
def _open_csv(file: File, types: Mapping[str, pa.DataType]) -> Iterator[pa.csv.CSVStreamingReader]:
    """Open a CSV file, columns of which have these types; what the others hold is guessed. Raises RegistryError."""
    try:
        with pa.csv.open_csv(file.path, convert_options=pa.csv.ConvertOptions(column_types=types)) as reader:
            yield reader
    except (pa.ArrowException, KeyError, UnicodeError, OSError) as error:
        raise RegistryError(f"not a sound CSV file: {_first_line(error)}", where=file.name) from None


def _known_types(features: Mapping[str, Mapping[str, Any]]) -> dict[str, pa.DataType]:
    """Return {column: type} of the features whose dtype is one that Arrow spells in the same way."""
    types = {}
    for name, feature in features.items():
        with suppress(ValueError):
            types[name] = pa.type_for_alias(feature["dtype"])
    return types


def _is_picture(type_: pa.DataType) -> bool:
    """Tell whether a type is the one in which Hugging Face datasets stores pictures."""
    return (
        pat.is_struct(type_) and {field.name for field in type_} == {"bytes", "path"} and _is_bytes(type_["bytes"].type)
    )


def _is_bytes(type_: pa.DataType) -> bool:
    return pat.is_binary(type_) or pat.is_large_binary(type_)


def _with_image(schema: pa.Schema) -> pa.Schema:
    """Return the schema of a table with a column for the pictures that it names, which comes after their names."""
    return schema.insert(schema.get_field_index(FILE_NAME) + 1, pa.field(IMAGE, pa.binary()))


def _below(folder: str, here: Mapping[str, File]) -> dict[str, Path]:
    """Return {path in the folder: where it is here} of the files in a folder of the repository."""
    return {name.removeprefix(folder): file.path for name, file in here.items() if name.startswith(folder)}


def _annotated(file: File, pictures: Mapping[str, Path] | None) -> list[dict[str, Any]]:
    """Return the rows that an annotations.json describes, with the `path` of each picture unless none is wanted.

    Raises RegistryError.
    """
    if file.path.stat().st_size > MAX_ANNOTATIONS:
        raise RegistryError(f"it has more than {MAX_ANNOTATIONS:,} bytes", where=file.name)
    try:
        entries = json.loads(file.path.read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"not JSON: {_first_line(error)}", where=file.name) from None
    if not isinstance(entries, list):
        raise RegistryError("not a list of annotations", where=file.name)
    rows = []
    for number, entry in enumerate(entries):
        try:
            name, turns = entry["image"], entry["conversations"]
            messages = [{"role": ROLES.get(turn["from"], turn["from"]), "content": turn["value"]} for turn in turns]
            pa.array([messages], CONVERSATIONS.field("messages").type)
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


def _selected(schema: pa.Schema, columns: Sequence[str] | None, where: str) -> pa.Schema:
    """Return these columns of a schema, in this order. Raises RegistryError for one that is not there."""
    if columns is None:
        return schema
    unknown = [name for name in columns if name not in schema.names]
    if unknown or not columns:
        what = f"no column {', '.join(unknown)}" if unknown else "no column is named"
        raise RegistryError(what, where=where, hint=f"choose from: {', '.join(schema.names)}")
    return pa.schema([schema.field(name) for name in dict.fromkeys(columns)])


def _regrouped(batches: Iterable[pa.RecordBatch], size: int, number: int, of: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of batches in batches of `size`, but for the last: every `of`th, beginning with `number`."""
    held: list[pa.RecordBatch] = []
    rows = position = 0
    for batch in batches:
        while batch.num_rows:
            taken = batch.slice(0, size - rows)
            batch = batch.slice(taken.num_rows)
            rows += taken.num_rows
            held.append(taken)
            if rows == size:
                if position % of == number:
                    yield pa.concat_batches(held)
                held, rows, position = [], 0, position + 1
    if held and position % of == number:
        yield pa.concat_batches(held)


@contextmanager
def _called(file: File) -> Iterator[Path]:
    """Yield where a file is, and let errors name it as its repository does."""
    try:
        yield file.path
    except RegistryError as error:
        raise RegistryError(error.what, where=file.name, hint=error.hint) from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
