"""Read the inputs of another dataset, which the rows of one are held against."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from registry.describe.logical import logical_type
from registry.describe.samples import SIGNATURES
from registry.errors import RegistryError
from registry.files import data_files

ROWS = 1 << 12
"""Rows that are in memory at once."""
BYTES = 64 << 20
"""Bytes of pictures that are, but for the last one."""

Inputs = tuple[pa.StringArray, pa.RecordBatch]
"""The names of some rows, `<file>:<row>` or, of those that are files, `<file>`, and the rows."""


def read_inputs(other: str, data: Path, column: str | None, schema: pa.Schema) -> Iterator[Inputs]:
    """Yield the rows of another dataset, whose data is a file or a folder, as columns of this schema.

    They are those of its Parquet files, else of its CSV files. A column of bytes that no table has is that of its files
    of pictures. `column` is how the one column is called there, if not as here. Raises RegistryError where there are no
    such rows.
    """
    files = {path.relative_to(data).as_posix() if path != data else path.name: path for path in data_files(data)}
    names, found = [column] if column else schema.names, False
    if column is None and len(schema) == 1 and logical_type(schema.field(0).type) == "binary":
        for inputs in _pictures(files, schema):
            found = True
            yield inputs
    suffix = next((suffix for suffix in (".parquet", ".csv") if any(file.endswith(suffix) for file in files)), None)
    for file, path in files.items() if suffix and not found else ():
        if file.endswith(suffix):
            read = _parquet if suffix == ".parquet" else _csv
            yield from _named(file, read(path, names, schema, other), schema)
            found = True
    if not found:
        what = "it has no Parquet or CSV file, and no pictures, which a dataset that is held against it needs"
        raise RegistryError(what, where=str(data))


def _named(file: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[Inputs]:
    start = 0
    for batch in batches:
        rows = pa.array([f"{file}:{start + row}" for row in range(batch.num_rows)], pa.string())
        yield rows, pa.record_batch(batch.columns, names=schema.names)
        start += batch.num_rows


def _parquet(path: Path, names: Sequence[str], schema: pa.Schema, other: str) -> Iterator[pa.RecordBatch]:
    found = pq.read_schema(path)
    for name, field in zip(names, schema, strict=True):
        what = None
        if name not in found.names:
            what = f"it has no column {name}"
        elif logical_type(found.field(name).type) != logical_type(field.type):
            what = f"its column {name} is {found.field(name).type}, not {field.type}"
        if what:
            raise _unlike(path, other, what)
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(ROWS, columns=[*names], use_threads=False):
            yield batch.select(names)


def _csv(path: Path, names: Sequence[str], schema: pa.Schema, other: str) -> Iterator[pa.RecordBatch]:
    types = {name: field.type for name, field in zip(names, schema, strict=True)}
    options = pacsv.ConvertOptions(column_types=types, include_columns=[*names], strings_can_be_null=False)
    parsing = pacsv.ParseOptions(newlines_in_values=True)
    try:
        with pacsv.open_csv(path, pacsv.ReadOptions(use_threads=False), parsing, options) as reader:
            yield from reader
    except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowNotImplementedError) as error:
        raise _unlike(path, other, f"it is no table of these columns: {error}") from None


def _unlike(path: Path, other: str, what: str) -> RegistryError:
    hint = f"say which column to compare: against: {{{other}: {{column: ..., fail: 0}}}}"
    return RegistryError(f"{what}, and another dataset is held against it", where=str(path), hint=hint)


def _pictures(files: Mapping[str, Path], schema: pa.Schema) -> Iterator[Inputs]:
    names, pictures, size = list[str](), list[bytes](), 0
    for file, path in files.items():
        with path.open("rb") as stream:
            head = stream.read(max(map(len, SIGNATURES)))
            if head.startswith(SIGNATURES):
                names.append(file)
                pictures.append(head + stream.read())
                size += len(pictures[-1])
        if size > BYTES:
            yield _as_inputs(names, pictures, schema)
            names, pictures, size = [], [], 0
    if names:
        yield _as_inputs(names, pictures, schema)


def _as_inputs(names: Sequence[str], pictures: Sequence[bytes], schema: pa.Schema) -> Inputs:
    return pa.array(names, pa.string()), pa.record_batch([pa.array(pictures, schema.field(0).type)], schema=schema)
