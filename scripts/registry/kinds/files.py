"""Read source files in any format of tables, in batches, as the columns that somebody asks for."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.types as pat

from registry.errors import RegistryError
from registry.formats.archives import members
from registry.formats.blocks import canonical_encoding
from registry.formats.json_arrays import Lines, is_array
from registry.formats.parquet import batches_of, explained, open_parquet, plain_schema
from registry.formats.quotes import with_quotes
from registry.formats.records import QUOTES, fields, records
from registry.formats.tables import csv_batches

if TYPE_CHECKING:
    from pyarrow.json import JSONStreamingReader

ROWS = 1 << 16
"""Rows in memory at once."""
BYTES = 64 << 20
"""Bytes of a Parquet file in memory at once, about."""
BLOCK = 8 << 20
"""Bytes of JSON lines that are parsed at once; a line may not be longer."""
TYPES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".data": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".xlsx": "excel",
}
"""The format of a file by how its name ends."""
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""How the names end of files in which another is packed; what is before that tells which."""


@dataclass(frozen=True)
class Format:
    """How files are read: the param `format` of a dataset, and `names`, their columns where they have no header."""

    type: str | None = None
    separator: str | None = None
    header: bool = True
    encoding: str = "utf-8"
    nulls: Sequence[str] = ()
    decimal: str = "."
    sheet: str | None = None
    quoting: str = "standard"
    names: Sequence[str] = ()

    def type_of(self, path: Path) -> str:
        """Return the format of a file; RegistryError where its name does not tell."""
        found = self.type or TYPES.get(_plain_suffix(path))
        if found is None:
            hint = f"set params.format.type to one of {', '.join(dict.fromkeys(TYPES.values()))}"
            raise RegistryError("its name does not tell its format", where=path.name, hint=hint)
        return found

    def separator_of(self, path: Path) -> str:
        """Return what parts the fields of a CSV file."""
        return self.separator or ("\t" if _plain_suffix(path) == ".tsv" else ",")


def _plain_suffix(path: Path) -> str:
    """Return how a file's name ends when it is unpacked: `.csv` of a.csv and a.csv.gz."""
    return Path(path.stem if path.suffix.lower() in PACKED else path.name).suffix.lower()


def is_packed(path: Path) -> bool:
    """Tell whether rows are packed in a file, by its name: a.csv.gz, but not pictures.zip."""
    return path.suffix.lower() in PACKED and _plain_suffix(path) in TYPES


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Yield a file, or that which is packed in it, in a temporary folder. RegistryError for an archive of several."""
    if path.suffix.lower() not in PACKED:
        yield path
        return
    with TemporaryDirectory() as folder:
        plain = Path(folder, path.stem)
        for number, member in enumerate(members(path)):
            if number:
                raise RegistryError("more than one file is in it", where=path.name, hint="pack one file by itself")
            with member.open() as content, plain.open("wb") as stream:
                shutil.copyfileobj(content, stream)
        yield plain


@contextmanager
def _readable(path: Path, layout: Format) -> Iterator[Path]:
    """Yield a file as readers take it: unpacked, and quoted as RFC 4180 says."""
    with unpacked(path) as plain:
        if layout.type_of(plain) != "csv":
            yield plain
        elif layout.quoting == "none":
            encoding = canonical_encoding(layout.encoding)
            with with_quotes(plain, separator=layout.separator_of(plain), encoding=encoding) as quoted:
                yield quoted
        else:
            with _hinting_at_quoting():
                yield plain


@contextmanager
def _hinting_at_quoting() -> Iterator[None]:
    try:
        yield
    except RegistryError as error:
        if error.hint is None or not error.hint.startswith(QUOTES):
            raise
        hint = f"{error.hint}; if quotes are characters like others: params.format.quoting: none (new: --no-quotes)"
        raise RegistryError(error.reason, hint=hint) from None


def columns_of(path: Path, layout: Format) -> list[str]:
    """Return the names of the columns of a file, in their order."""
    with _readable(path, layout) as plain:
        return _columns_of(plain, layout)


def _columns_of(path: Path, layout: Format) -> list[str]:
    match layout.type_of(path):
        case "csv" if layout.names:
            return [*layout.names]
        case "csv":
            separator = layout.separator_of(path)
            first = next(records(path, separator=separator, encoding=canonical_encoding(layout.encoding)), None)
            if first is None:
                raise RegistryError("the file is empty", where=path.name)
            return fields(first[1], separator=separator, where=path)
        case "parquet":
            with open_parquet(path) as file:
                return file.schema_arrow.names
        case "arrow":
            with explained(path), _opened(path) as reader:
                return reader.schema.names
        case "excel":
            return _excel(path, layout).columns
    return [*json_types(path)]


def batches(path: Path, layout: Format, wanted: Mapping[str, pl.DataType]) -> Iterator[pl.DataFrame]:
    """Yield these columns of a file, in this order, a batch of rows at a time.

    Of CSV and JSON lines the columns are read as the types that are asked for; of others they have their own. Raises
    RegistryError for columns that are not there, and for what cannot be read.
    """
    with _readable(path, layout) as plain:
        yield from _batches(plain, layout, wanted)


def _batches(path: Path, layout: Format, wanted: Mapping[str, pl.DataType]) -> Iterator[pl.DataFrame]:
    kind = layout.type_of(path)
    if kind != "jsonl":
        there = _columns_of(path, layout)
        if missing := [name for name in wanted if name not in there]:
            found = ", ".join(there[:20]) + (", ..." if len(there) > 20 else "")
            raise RegistryError(f"there is no column {', '.join(missing)}: it has {found}", where=path.name)
    match kind:
        case "csv":
            found = csv_batches(
                path,
                {name: wanted.get(name, pl.String()) for name in there},
                separator=layout.separator_of(path),
                header=layout.header,
                nulls=layout.nulls,
                encoding=layout.encoding,
                decimal=layout.decimal,
            )
        case "jsonl":
            found = _json_lines(path, wanted)
        case "parquet":
            found = _parquet(path, wanted)
        case "arrow":
            found = _ipc(path)
        case "excel":
            found = _excel(path, layout).iter_slices(ROWS)
    for batch in found:
        yield pl.DataFrame([batch.get_column(name) for name in wanted])


def _parquet(path: Path, wanted: Iterable[str]) -> Iterator[pl.DataFrame]:
    schema = plain_schema(path, [*wanted])
    for batch in batches_of(path, [*wanted], _rows_at_once(path)):
        with explained(path):
            yield pl.DataFrame(pa.Table.from_batches([batch]).select(schema.names).cast(schema))


def _rows_at_once(path: Path) -> int:
    """Return how many rows of a Parquet file may be in memory at once, as the sizes in its footer say."""
    with open_parquet(path) as file:
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    largest = max((group.total_byte_size / group.num_rows for group in groups if group.num_rows), default=1)
    return max(1, min(ROWS, int(BYTES // max(largest, 1))))


def json_types(path: Path) -> dict[str, pl.DataType]:
    """Return {key: its type} of the JSON objects, one a line, in the first block of a file."""
    with _explained_json(path, "objects"), _opened_json(path) as reader:
        return dict(pl.DataFrame(reader.schema.empty_table()).schema)


def types_beside(path: Path, layout: Format, names: Sequence[str]) -> dict[str, pl.DataType]:
    """Return {column: the type to read it as} of columns that no contract has: texts, but in JSON as they are."""
    types = dict.fromkeys(names, pl.String())
    if names and layout.type_of(path) == "jsonl":
        with suppress(RegistryError), unpacked(path) as plain:
            there = json_types(plain)
            types |= {name: there[name] for name in names if name in there and _is_bare(there[name])}
    return types


def _is_bare(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype == pl.Boolean


def _json_lines(path: Path, wanted: Mapping[str, pl.DataType]) -> Iterator[pl.DataFrame]:
    schema = pa.schema([(name, arrow_type(dtype)) for name, dtype in wanted.items()])
    with _explained_json(path, ", ".join(wanted)), _opened_json(path, schema) as reader:
        for batch in reader:
            yield pl.DataFrame(batch)


@contextmanager
def _explained_json(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise RegistryError(f"not JSON lines of {what}: {reason}", where=path.name) from None


def _opened_json(path: Path, schema: pa.Schema | None = None) -> "JSONStreamingReader":
    from pyarrow.json import ParseOptions, ReadOptions, open_json

    others = "infer" if schema is None else "ignore"
    parse = ParseOptions(explicit_schema=schema, unexpected_field_behavior=others, newlines_in_values=False)
    lines = Lines(path) if is_array(path) else path
    return open_json(lines, ReadOptions(use_threads=False, block_size=BLOCK), parse)


def arrow_type(dtype: pl.DataType) -> pa.DataType:
    """Return the Arrow type of a polars type, without views and large offsets."""

    def plain(type_: pa.DataType) -> pa.DataType:
        if pat.is_large_string(type_) or pat.is_string_view(type_):
            return pa.string()
        if pat.is_large_binary(type_) or pat.is_binary_view(type_):
            return pa.binary()
        if pat.is_large_list(type_):
            return pa.list_(plain(type_.value_type))
        if pat.is_struct(type_):
            return pa.struct([one.with_type(plain(one.type)) for one in type_])
        return type_

    return plain(pl.Series(dtype=dtype).to_arrow().type)


def _opened(path: Path) -> pa.ipc.RecordBatchFileReader:
    return pa.ipc.open_file(pa.memory_map(str(path)))


def _ipc(path: Path) -> Iterator[pl.DataFrame]:
    with explained(path), _opened(path) as reader:
        for number in range(reader.num_record_batches):
            yield from pl.DataFrame(reader.get_batch(number)).iter_slices(ROWS)


def _excel(path: Path, layout: Format) -> pl.DataFrame:
    from registry.extras import check_installed

    check_installed("fastexcel")
    sheet = {"sheet_name": layout.sheet} if layout.sheet else {"sheet_id": 1}
    try:
        return pl.read_excel(path, engine="calamine", **sheet)
    except Exception as error:  # its reader raises whatever a broken file leads it to
        raise RegistryError(f"not an Excel file: {str(error).partition(chr(10))[0]}", where=path.name) from None
