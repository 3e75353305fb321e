"""The rows of tables whose files are here, bounded and checked as they are read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv

from registry.errors import RegistryError
from registry.formats.parquet import batches_of, explained, open_parquet, plain_schema
from registry.reading.columns import picture_columns

ROWS = 10_000
"""Rows of a table that are read at once where all are wanted."""
PICTURES = 100
"""The same, of pictures."""


class File(NamedTuple):
    """A file of a version: where it is here, and what messages call it."""

    path: Path
    name: str


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
            known = {*parquet_schema(file).names}
            lacking = [name for name in names if name not in known]
            if lacking:
                raise RegistryError(f"it lacks columns of the first file: {', '.join(lacking)}", where=file.name)
            with called(file) as path:
                for batch in batches_of(path, names, size):
                    with explained(path):
                        plain = batch.select(names).cast(self.schema)
                    yield plain

    def batches(self, size: int, number: int = 0, of: int = 1) -> Iterator[pa.RecordBatch]:
        """Yield batches of `size` rows, but for the last, or a worker's share of them. Raises RegistryError."""
        return regrouped(self.parts(size), size, number, of)


@dataclass(frozen=True)
class CsvRows:
    """The rows of CSV files, each of which has the columns of `schema`."""

    files: Sequence[File]
    schema: pa.Schema

    def parts(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows, a megabyte at once. Raises RegistryError."""
        types = dict(zip(self.schema.names, self.schema.types, strict=True))
        for file in self.files:
            with open_csv(file, types) as reader:
                for batch in reader:
                    yield batch.select(self.schema.names)

    def batches(self, size: int, number: int = 0, of: int = 1) -> Iterator[pa.RecordBatch]:
        """Yield batches of `size` rows, but for the last, or a worker's share of them. Raises RegistryError."""
        return regrouped(self.parts(), size, number, of)


def parquet_schema(file: File) -> pa.Schema:
    """Return what is in a Parquet file, without dictionaries. Raises RegistryError."""
    with called(file) as path, open_parquet(path) as opened:
        return plain_schema(path, opened.schema_arrow.names)


@contextmanager
def open_csv(file: File, types: Mapping[str, pa.DataType]) -> Iterator[pa.csv.CSVStreamingReader]:
    """Open a CSV file, columns of which have these types; what the others hold is guessed. Raises RegistryError."""
    try:
        with pa.csv.open_csv(file.path, convert_options=pa.csv.ConvertOptions(column_types=types)) as reader:
            yield reader
    except (pa.ArrowException, KeyError, UnicodeError, OSError) as error:
        raise RegistryError(f"not a sound CSV file: {first_line(error)}", where=file.name) from None


def regrouped(batches: Iterable[pa.RecordBatch], size: int, number: int, of: int) -> Iterator[pa.RecordBatch]:
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
def called(file: File) -> Iterator[Path]:
    """Yield where a file is, and let errors name it as its repository does."""
    try:
        yield file.path
    except RegistryError as error:
        raise RegistryError(error.what, where=file.name, hint=error.hint) from None


def first_line(error: Exception) -> str:
    """Return what an error says first."""
    return str(error).partition("\n")[0]
