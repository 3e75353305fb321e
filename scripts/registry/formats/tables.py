"""Read tables strictly: what is not as expected is an error that says so, never a guess."""

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from registry.errors import RegistryError
from registry.files import atomic_file


def read_csv(path: str | Path, columns: Mapping[str, pl.DataType], *, separator: str = ",") -> pl.DataFrame:
    """Read a UTF-8 CSV file with exactly these columns, in this order and of these types.

    A byte order mark may be there; an empty field is null. Raises RegistryError for another header (missing, extra,
    duplicate or reordered columns, another separator), rows of another width, values of another type, text that is not
    UTF-8, and a file without rows.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = next(csv.reader(stream, delimiter=separator), [])
            for line in stream:
                if "\0" in line:
                    raise RegistryError("holds NUL characters: not a text file", where=path)
    except UnicodeDecodeError as error:
        raise RegistryError(f"not UTF-8: {error.reason} at byte {error.start}", where=path) from None
    except csv.Error as error:
        raise RegistryError(f"its header cannot be read: {error}", where=path) from None
    _check_header(header, list(columns), separator, path)
    try:
        table = pl.read_csv(path, schema=dict(columns), separator=separator, truncate_ragged_lines=False)
    except pl.exceptions.PolarsError as error:
        raise RegistryError(f"not a table of {', '.join(columns)}: {_first_line(error)}", where=path) from None
    if table.is_empty():
        raise RegistryError("has a header but no rows", where=path)
    return table


def _check_header(header: list[str], expected: list[str], separator: str, path: Path) -> None:
    if header == expected:
        return
    if not header:
        raise RegistryError("the file is empty", where=path)
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
    """Read these columns of a Parquet file; RegistryError if it is not one, or if one is missing or of another type."""
    try:
        table = pl.read_parquet(path, columns=list(columns))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise RegistryError(
            f"not a Parquet file with the columns {', '.join(columns)}: {_first_line(error)}", where=path
        ) from None
    found = table.schema
    wrong = [f"{name} is {found[name]}, not {dtype}" for name, dtype in columns.items() if found[name] != dtype]
    if wrong:
        raise RegistryError("; ".join(wrong), where=path)
    return table


def write_parquet(table: pl.DataFrame, path: str | Path, schema: pa.Schema) -> None:
    """Write a table as a Parquet file of exactly this Arrow schema (plain `string`, which every client reads)."""
    with atomic_file(path) as partial:
        pq.write_table(table.to_arrow().cast(schema), partial, compression="zstd")


def only_batch(table: pl.DataFrame, schema: pa.Schema) -> pa.RecordBatch:
    """Return a whole table as one Arrow batch of this schema."""
    return table.to_arrow().cast(schema).combine_chunks().to_batches()[0]


def counts(column: pl.Series) -> dict[str, int]:
    """Return {value: number of rows}, ordered by value."""
    return {str(value): count for value, count in column.value_counts().sort(column.name).iter_rows()}


def _first_line(error: Any) -> str:
    return str(error).strip().partition("\n")[0]
