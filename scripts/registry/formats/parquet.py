"""Read Parquet files that somebody else wrote: bounded before they are unpacked, and one message for what is wrong.

A few kilobytes can unfold to gigabytes: pages are compressed, and a dictionary names a long value once and repeats it.
So texts and bytes are read as dictionaries, and repeated only when it is known how long they will be.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pat

from registry.errors import RegistryError

MAX_CELL = 256 << 20
"""Bytes that one value may have."""
MAX_BYTES = 4 << 30
"""Bytes that a row group may have when it is unpacked."""
VALUE = 8
"""Bytes that a value is taken to have, whatever its type: the encodings of a file may need none."""
ROWS = 50
"""Rows that are read at once where they are taken one by one."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what pyarrow raises for a file that is not sound into one RegistryError."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeError) as error:
        reason = str(error).partition("\n")[0]
        raise RegistryError(f"not a sound Parquet file: {reason}", where=path.name) from None


@contextmanager
def open_parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file whose texts and bytes are read as dictionaries.

    Raises RegistryError if it is not sound, if two columns have one name, or if a row group would have more than
    MAX_BYTES, as the file's footer says. Checksums of pages are checked where there are some.
    """
    with explained(path):
        with pq.ParquetFile(path) as file:
            leaves = [file.schema.column(index) for index in range(len(file.schema))]
            for names in (file.schema_arrow.names, [leaf.path for leaf in leaves]):
                if twice := [name for name, count in Counter(names).items() if count > 1]:
                    raise RegistryError(f"more than one column is called {', '.join(twice)}", where=path.name)
            for number in range(file.metadata.num_row_groups):
                group = file.metadata.row_group(number)
                _check_bytes(max(group.total_byte_size, group.num_rows * len(leaves) * VALUE), path)
        repeated = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        with pq.ParquetFile(path, read_dictionary=repeated, page_checksum_verification=True) as file:
            yield file


def _check_bytes(size: int, path: Path) -> None:
    if size > MAX_BYTES:
        raise RegistryError(
            f"a row group has {size:,} bytes when it is unpacked, more than {MAX_BYTES:,}",
            where=path.name,
            hint="write it with smaller row groups, if its source is to be trusted",
        )


def read_table(path: Path, columns: Sequence[str]) -> pa.Table:
    """Return these columns of a Parquet file, in the file's order. Raises RegistryError as `batches_of` does."""
    with open_parquet(path) as file:
        schema = plain_schema(path, columns)
        tables, first = [], 0
        for number in range(file.metadata.num_row_groups):
            group = file.read_row_group(number, columns=list(columns), use_threads=False)
            sizes = [check_batch(batch, first, path) for batch in group.to_batches()]
            _check_bytes(sum(sizes), path)
            tables.append(group.select(schema.names).cast(schema))
            first += group.num_rows
        return pa.concat_tables(tables) if tables else schema.empty_table()


def plain_schema(path: Path, columns: Sequence[str]) -> pa.Schema:
    """Return the schema of these columns of a Parquet file, in the file's order, without dictionaries and views."""
    return pa.schema([(field.name, _plain(field.type)) for field in pq.read_schema(path) if field.name in columns])


def batches_of(path: Path, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield these columns of a Parquet file, at most so many rows at once; texts and bytes are dictionaries.

    Raises RegistryError as `open_parquet`, for a row group that has more bytes than its footer says, and for a value
    that has more than MAX_CELL bytes, or is a text that is not UTF-8; column and row, counted from 0, are named.
    """
    with open_parquet(path) as file:
        first = 0
        for number in range(file.metadata.num_row_groups):
            size = 0
            for batch in file.iter_batches(rows, row_groups=[number], columns=list(columns), use_threads=False):
                size += check_batch(batch, first, path)
                _check_bytes(size, path)
                yield batch
                first += batch.num_rows


def rows_of(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file one by one, with these columns of it (`image.bytes`: a field of one).

    Raises RegistryError as `batches_of` does.
    """
    for batch in batches_of(path, columns, ROWS):
        for row in range(batch.num_rows):
            yield from batch.slice(row, 1).to_pylist()


def _plain(type_: pa.DataType) -> pa.DataType:
    """Return a type without dictionaries and views, at any depth: what holds texts is read as texts."""
    if pat.is_dictionary(type_):
        return _plain(type_.value_type)
    if pat.is_string_view(type_) or pat.is_binary_view(type_):
        return pa.large_string() if pat.is_string_view(type_) else pa.large_binary()
    if pat.is_struct(type_):
        return pa.struct([field.with_type(_plain(field.type)) for field in type_])
    if pat.is_list(type_):
        return pa.list_(type_.value_field.with_type(_plain(type_.value_type)))
    if pat.is_large_list(type_):
        return pa.large_list(type_.value_field.with_type(_plain(type_.value_type)))
    if pat.is_fixed_size_list(type_):
        return pa.list_(type_.value_field.with_type(_plain(type_.value_type)), type_.list_size)
    if pat.is_map(type_):
        return pa.map_(_plain(type_.key_type), type_.item_field.with_type(_plain(type_.item_type)))
    return type_


def check_batch(batch: pa.RecordBatch, first: int, path: Path) -> int:
    """Return how many bytes the texts and bytes of a batch have, whose first row is number `first` of the file.

    Raises RegistryError for a value that has more than MAX_CELL bytes, and for a text that is not UTF-8.
    """
    total = 0
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        for leaf, array, rows in _leaves(name, column, pa.array(range(first, first + batch.num_rows))):
            lengths = pc.binary_length(array.dictionary).cast(pa.int64()).take(array.indices)
            total += pc.sum(lengths).as_py() or 0
            long = pc.greater(lengths, MAX_CELL)
            if pc.any(long).as_py():
                row = rows.filter(long)[0]
                raise RegistryError(f"row {row}: {leaf} has more than {MAX_CELL:,} bytes", where=path.name)
            if (row := _first_not_utf8(array, rows)) is not None:
                raise RegistryError(f"row {row}: {leaf} is not UTF-8", where=path.name)
    return total


def _leaves(name: str, array: pa.Array, rows: pa.Array) -> Iterator[tuple[str, pa.DictionaryArray, pa.Array]]:
    """Yield every array of texts or bytes in a column, with its name and, for each of its values, the row it is in."""
    if pat.is_struct(array.type):
        for field, values in zip(array.type, array.flatten(), strict=True):
            yield from _leaves(f"{name}.{field.name}", values, rows)
    elif pat.is_list(array.type) or pat.is_large_list(array.type) or pat.is_fixed_size_list(array.type):
        yield from _leaves(name, pc.list_flatten(array), rows.take(pc.list_parent_indices(array)))
    elif pat.is_map(array.type):
        import numpy as np

        places = array.offsets.to_numpy()
        its_rows = rows.take(np.repeat(np.arange(len(array)), np.diff(places)))
        for side, values in (("key", array.keys), ("value", array.items)):
            yield from _leaves(f"{name}.{side}", values[places[0] : places[-1]], its_rows)
    elif pat.is_dictionary(array.type) and not pat.is_primitive(array.type.value_type):
        yield name, array, rows


def _first_not_utf8(array: pa.DictionaryArray, rows: pa.Array) -> int | None:
    """Return the row of the first value that is no text although its type says so; None if there is none."""
    texts = array.dictionary
    if not (pat.is_string(texts.type) or pat.is_large_string(texts.type)):
        return None
    data = texts.cast(pa.large_binary())
    try:
        data.cast(pa.large_string())
    except pa.ArrowInvalid:
        wrong = pa.array([not _is_utf8(value) for value in data.to_pylist()]).take(array.indices)
        return next(iter(rows.filter(wrong).to_pylist()), None)
    return None


def _is_utf8(value: bytes | None) -> bool:
    try:
        return value is None or value.decode() is not None
    except UnicodeDecodeError:
        return False
