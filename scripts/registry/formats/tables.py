"""Read tables strictly: what is not as expected is an error that says so, never a guess."""

from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from polars.io.plugins import register_io_source

from registry.errors import RegistryError
from registry.formats.blocks import Block, blocks, canonical_encoding
from registry.formats.parquet import batches_of, explained, open_parquet, plain_schema, read_table
from registry.formats.records import fields, records, records_in, sound_records
from registry.formats.shards import WHOLE, Shard

BATCH = 1 << 20
"""Rows of a Parquet file that are in memory at once, and in a row group of the manifest."""


def read_csv(path: str | Path, columns: Mapping[str, pl.DataType], **options: Any) -> pl.DataFrame:
    """Read a CSV file as a whole; columns, options and errors as in `csv_batches`."""
    return pl.concat(csv_batches(path, columns, **options), rechunk=True)


def csv_batches(
    path: str | Path,
    columns: Mapping[str, pl.DataType],
    *,
    separator: str = ",",
    header: bool = True,
    nulls: Sequence[str] = (),
    encoding: str = "utf-8",
    decimal: str = ".",
    shard: Shard = WHOLE,
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a CSV file (RFC 4180) with exactly these columns, in this order and of these types, in batches.

    `header=False`: the first line is a row already. An empty field without quotes is null, and so is every field that
    is one of the words in `nulls`, quoted or not. Numbers have `decimal` before their fractions. The file may begin
    with a byte order mark. With a `shard`, only the rows that begin in this share of the file's bytes.

    Raises RegistryError for another header (missing, extra, duplicate or reordered columns, another separator), a row
    of another width, a value of another type, a file without rows, and what `registry.formats.records` refuses: blank
    lines, quotes that do not match, and text that is not in this encoding.
    """
    path, encoding = Path(path), canonical_encoding(encoding)
    options = {"separator": separator, "null_values": list(nulls), "decimal_comma": decimal == ","}
    rows = 0
    for block in blocks(path, encoding, shard):
        if header and block.line == 1:
            first, block = block.parted()
            [(_, names, _)] = records_in(first, separator=separator, path=path)
            _check_header(fields(names, separator=separator, where=path), list(columns), separator, path)
        if block.text:
            yield (table := _parsed(block, columns, path, **options))
            rows += table.height
    if not rows:
        there = islice(records(path, separator=separator, encoding=encoding), 1 + header)
        if len(found := [*there]) <= header:
            raise RegistryError("has a header but no rows" if found else "the file is empty", where=path)


def _parsed(
    block: Block, columns: Mapping[str, pl.DataType], path: Path, separator: str, **options: Any
) -> pl.DataFrame:
    """Return records of a file as a table."""
    source, rows = sound_records(block, separator=separator, width=len(columns)) or _checked(
        block, separator, len(columns), path
    )
    # With a byte order mark, since polars would take away one that is in the data.
    source = BOM_UTF8 + source
    options |= {"separator": separator, "has_header": False}
    try:
        table = pl.read_csv(source, schema=dict(columns), **options)
    except pl.exceptions.PolarsError as error:
        wrong = _wrong_value(source, columns, options)
        if wrong is None:
            raise RegistryError(f"not a table of {', '.join(columns)}: {_first_line(error)}", where=path) from None
        row, found = wrong
        line, *_ = next(islice(records_in(block, separator=separator, path=path), row, None))
        raise RegistryError(f"line {line:,}: {found}", where=path) from None
    if table.height != rows:
        raise RegistryError(f"{table.height:,} rows were read of {rows:,}", where=path)
    return table


def _checked(block: Block, separator: str, width: int, path: Path) -> tuple[bytes, int]:
    """Return what `sound_records` does, one record after the other, or raise what is wrong."""
    texts = []
    for line, text, found in [*records_in(block, separator=separator, path=path)]:
        if found != width:
            raise RegistryError(f"line {line:,}: the number of fields is {found:,}, not {width:,}", where=path)
        texts.append(f"{text}\n")
    return "".join(texts).encode(), len(texts)


def _wrong_value(source: bytes, columns: Mapping[str, pl.DataType], options: dict[str, Any]) -> tuple[int, str] | None:
    """Return the first row with a field that is not of its column's type, and which; None where polars cannot tell."""
    texts = pl.read_csv(source, schema=dict.fromkeys(columns, pl.String), **options)
    for name, dtype in columns.items():
        try:
            wrong = texts[name].is_not_null() & texts[name].cast(dtype, strict=False).is_null()
        except pl.exceptions.InvalidOperationError:
            continue
        if (row := wrong.arg_max()) is not None and wrong[row]:
            return row, f"{name} is {texts[name][row][:80]!r}, not {dtype}"
    return None


def _check_header(header: list[str], expected: list[str], separator: str, path: Path) -> None:
    if header == expected:
        return
    if len(header) == 1 and header[0] not in expected:
        raise RegistryError(
            f"its header is one column, {header[0][:80]!r}: is {separator!r} the separator?", where=path
        )
    duplicates = [name for name, count in Counter(header).items() if count > 1]
    missing = [name for name in expected if name not in header]
    extra = [name for name in header if name not in expected]
    problems = {"duplicate": duplicates, "missing": missing, "unexpected": extra}
    words = "; ".join(f"{problem}: {', '.join(names)}" for problem, names in problems.items() if names)
    raise RegistryError(f"unexpected header: {words or 'the columns are in another order'}", where=path)


def read_parquet(path: str | Path, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Read these columns of a Parquet file.

    Raises RegistryError if one is missing or of another type, and for what `registry.formats.parquet` refuses: a file
    that is not sound, two columns of one name, texts that are not UTF-8, and what unfolds to more than it may.
    """
    path = Path(path)
    _check_names(path, columns)
    return _with_types(pl.DataFrame(read_table(path, list(columns))), columns, path)


def parquet_batches(path: str | Path, columns: Mapping[str, pl.DataType], rows: int) -> Iterator[pl.DataFrame]:
    """Yield these columns of a Parquet file, at most so many rows at once. Raises RegistryError as `read_parquet`."""
    path = Path(path)
    _check_names(path, columns)
    schema = plain_schema(path, list(columns))
    _with_types(pl.DataFrame(schema.empty_table()), columns, path)
    for batch in batches_of(path, list(columns), rows):
        with explained(path):
            table = pa.Table.from_batches([batch]).select(schema.names).cast(schema)
        yield pl.DataFrame(table).select(list(columns))


def _check_names(path: Path, columns: Mapping[str, pl.DataType]) -> None:
    with open_parquet(path) as file:
        missing = [name for name in columns if name not in file.schema_arrow.names]
    if missing:
        raise RegistryError(
            f"not a Parquet file with the columns {', '.join(columns)}: no {', '.join(missing)}", where=path
        )


def _with_types(table: pl.DataFrame, columns: Mapping[str, pl.DataType], path: Path) -> pl.DataFrame:
    """Return the columns in this order; RegistryError if one is of another type."""
    found = table.schema
    wrong = [f"{name} is {found[name]}, not {dtype}" for name, dtype in columns.items() if found[name] != dtype]
    if wrong:
        raise RegistryError("; ".join(wrong), where=path)
    return table.select(list(columns))


def as_lazy(read: Callable[[], Iterable[pl.DataFrame]], columns: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """Return the batches with these columns that `read` yields whenever it is called, as one table, never in memory."""

    def source(
        wanted: list[str] | None, predicate: pl.Expr | None, rows: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        for batch in read():
            if rows is not None:
                batch, rows = batch.head(rows), rows - min(rows, batch.height)
            found = batch if predicate is None else batch.filter(predicate)
            yield found if wanted is None else found.select(wanted)
            if rows == 0:
                return

    return register_io_source(source, schema=dict(columns))


def regrouped(batches: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """Yield the same rows in the same order, so many in each batch but the last."""
    rest: list[pl.DataFrame] = []
    for batch in batches:
        rest.append(batch)
        while sum(one.height for one in rest) >= rows:
            table = pl.concat(rest)
            yield table.head(rows).rechunk()
            rest = [table.slice(rows)]
    if any(one.height for one in rest):
        yield pl.concat(rest, rechunk=True)


def write_rows(rows: Iterable[Mapping[str, Any]], path: str | Path, schema: pa.Schema, size: int) -> int:
    """Write rows as a Parquet file of this Arrow schema, so many in a row group and in memory; return how many."""
    count, rows = 0, iter(rows)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(rows, size)):
            count += len(group)
            writer.write_batch(pa.RecordBatch.from_pylist(group, schema=schema))
    return count


def arrow_batches(path: str | Path, rows: int = BATCH) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file that a job of ours wrote, at most so many at once."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        yield from file.iter_batches(rows, use_threads=False)


def only_batch(table: pl.DataFrame, schema: pa.Schema) -> pa.RecordBatch:
    """Return a whole table as one Arrow batch of this schema."""
    batches = table.to_arrow().cast(schema).combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema)


def counts(column: pl.Series) -> dict[str, int]:
    """Return {value: number of rows}, ordered by value."""
    return {str(value): count for value, count in column.value_counts().sort(column.name).iter_rows()}


def value_counts(column: pa.Array) -> Counter:
    """Return {value: number of rows} of those that have one; those of batches add up."""
    return Counter({one["values"]: one["counts"] for one in column.drop_null().value_counts().to_pylist()})


def _first_line(error: Any) -> str:
    return str(error).strip().partition("\n")[0]
