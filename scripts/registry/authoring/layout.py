"""Guess how a file of rows is laid out: only `registry new` guesses, and prints what it took the file for."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from registry.errors import RegistryError
from registry.formats.texts import wide_encoding
from registry.kinds.files import Format, columns_of, json_types

HEAD = 1 << 16
"""Bytes at the beginning of a file by which its layout is guessed."""
LONGEST = 16 << 20
"""Bytes that its first line has at most."""
YEAR = re.compile(r"(?:1[89]|20)\d\d")
SEPARATORS = ",;\t|"


def guess_format(path: Path, given: Format) -> Format:
    """Return how a file is laid out, with what is `given` as it is. Raises RegistryError for what is no table."""
    found = replace(given, type=given.type_of(path))
    if found.type != "csv":
        return found
    with path.open("rb") as stream:
        head = stream.read(HEAD)
        head += stream.readline(LONGEST) if b"\n" not in head else b""
    encoding = given.encoding if given.encoding != Format.encoding else _encoding(head)
    text = head.decode(encoding, errors="ignore").removeprefix("\ufeff")
    if len(head) == HEAD and "\n" in text:
        text = text[: text.rfind("\n") + 1]
    quoting = csv.QUOTE_NONE if given.quoting == "none" else csv.QUOTE_MINIMAL
    separator = given.separator or _separator(text, quoting)
    first, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting)
    decimal = "," if separator != "," and _has_decimal_commas(rows) else given.decimal
    header = given.header and not (_is_data(first) and not given.names)
    names = given.names or (() if header else tuple(f"column_{number}" for number in range(1, len(first) + 1)))
    return replace(found, encoding=encoding, separator=separator, header=header, decimal=decimal, names=names)


def _encoding(head: bytes) -> str:
    """Return the encoding of a text by its first bytes: UTF-8, UTF-16 with its mark, or else that of Windows."""
    if wide := wide_encoding(head):
        return wide.lower()
    try:
        # The last character may be cut.
        head[: head.rfind(b"\n") + 1 or None].decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _separator(text: str, quoting: int) -> str:
    """Return which separator parts the most of the first lines into the same number of fields, of two at least."""

    def fit(separator: str) -> tuple[int, int]:
        try:
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting)
            widths = Counter(map(len, rows))
        except csv.Error:
            return 0, 0
        [(width, lines)] = widths.most_common(1) or [(0, 0)]
        return (lines, width) if width > 1 else (0, 0)

    return max(SEPARATORS, key=fit)


def _has_decimal_commas(rows: Sequence[Sequence[str]]) -> bool:
    fields = [field for row in rows for field in row]
    return any(_is_number(field.replace(",", ".")) for field in fields if "," in field) and not any(
        "." in field and _is_number(field) for field in fields
    )


def _is_data(fields: Sequence[str]) -> bool:
    """Tell whether the first line is a row already: names of columns are no numbers, but some may be years."""
    return any(_is_number(field) and not YEAR.fullmatch(field) for field in fields) or all(map(_is_number, fields))


def _is_number(field: str) -> bool:
    try:
        return bool(float(field)) or True
    except ValueError:
        return False


def columns_in(path: Path, layout: Format) -> dict[str, pl.DataType]:
    """Return {column of a file: the type to read it as}. RegistryError for two of one name, or for one without."""
    names = columns_of(path, layout)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or "" in names:
        what = f"more than one column is called {', '.join(twice)}" if twice else "a column has no name"
        hint = "name them all, in the file, or with --no-header --columns NAME,NAME,..."
        raise RegistryError(what, where=path.name, hint=hint)
    if layout.type != "jsonl":
        return dict.fromkeys(names, pl.String())
    # JSON has no times: what looks like some is a text.
    return {name: _with_texts(dtype) for name, dtype in json_types(path).items()}


def _with_texts(dtype: pl.DataType) -> pl.DataType:
    """Return a type with texts in the place of times."""
    match dtype:
        case pl.List():
            return pl.List(_with_texts(dtype.inner))
        case pl.Struct():
            return pl.Struct([pl.Field(one.name, _with_texts(one.dtype)) for one in dtype.fields])
    return pl.String() if dtype.is_temporal() or dtype == pl.Null else dtype
