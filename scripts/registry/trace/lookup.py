"""Turn a file or a text into the ids that manifests may have for it: as bytes, as pixels, as text, as a row.

No dataset is known by name here: what is given is hashed as bytes, as pixels, as text, and as a row of a table with the
columns that a manifest says it has.
"""

import csv
import hashlib
import io
import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from datetime import time
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.types as pat

from registry.describe.canonical import canonical, data_of
from registry.describe.logical import arrow_type, with_texts
from registry.errors import RegistryError
from registry.extras import needed
from registry.files import sha256_of

ID_BYTES = 16
MAX_BYTES = 2**30
MAX_ROW = 2**20
"""Bytes of what may be a row of a table."""
FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP")
"""The decoders in use; the others that Pillow has are kept away from bytes of unknown origin."""
SEPARATORS = (",", ";", "\t")
_ID = re.compile(rf"[0-9a-fA-F]{{{2 * ID_BYTES}}}")

Ids = dict[bytes, str]
"""What an id was made from, in words, by the id."""


class Readings:
    """All ways to take what was given: `ids` holds for any dataset, `row_ids` for one with certain columns.

    What is no file is a row's `key`, too, or the name of a source file; a file is the `source` with its sha256. Of one
    that is too large to be in memory, that is all there is.
    """

    def __init__(self, data: bytes | None, *, sha256: str | None = None) -> None:
        self.ids: Ids = {}
        self.key = data.decode(errors="replace").strip() if sha256 is None else None
        self.source = sha256 or self.key
        self._rows: list[list[str]] = []
        if data is not None:
            self._take(data, is_file=sha256 is not None)
        if sha256:
            self._add("sha256", sha256, pa.string())

    def _take(self, data: bytes, *, is_file: bool) -> None:
        self._add("bytes", data, pa.binary())
        for how, pixels in _pictures(data) if is_file else ():
            self._add(how, pixels, pa.binary())
        for how, text in _texts(data):
            self._add(how, text, pa.string())
        text = data.decode("utf-8-sig", errors="replace")
        if _ID.fullmatch(id_ := text.strip()):
            self.ids[bytes.fromhex(id_)] = "id"
        self._rows = list(_rows(text)) if len(text) <= MAX_ROW else []

    def _add(self, how: str, value: bytes | str, dtype: pa.DataType) -> None:
        self.ids.setdefault(_id([data_of(canonical(pa.array([value], dtype)))]), how)

    def row_ids(self, columns: Mapping[str, str]) -> Ids:
        """Return the ids of what was given as a row of a table with these columns {name: logical type}, in order.

        The row may be whole, may lack one column (the target, say), or may have the first columns only; fields are
        separated by comma, semicolon or tab, and an empty one is null.
        """
        ids: Ids = {}
        for fields in self._rows:
            ids |= _row_ids(fields, list(columns.items()))
        return ids

    @property
    def names(self) -> list[str]:
        """The ways in which it was taken, in words."""
        others = {"row of a table": self._rows, "key": self.key, "source file": self.source}
        return [*dict.fromkeys(self.ids.values()), *(how for how, taken in others.items() if taken)]


def read(given: str) -> Readings:
    """Take `given` as the file of that name, or else as a text. Raises RegistryError for what can be neither."""
    path = Path(given)
    if not given:
        raise RegistryError("nothing to look for", hint="name a file, or give a text, a row or an id")
    try:
        if path.is_dir():
            raise RegistryError("a folder, not a sample", where=given, hint="name one of its files")
        if not path.is_file():
            return Readings(os.fsencode(given))
        data = path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
        return Readings(data, sha256=sha256_of(path))
    except PermissionError:
        raise RegistryError("cannot be read", where=given, hint="check its permissions") from None
    except OSError:
        # A text that is too long to be a file's name.
        return Readings(os.fsencode(given))


def _id(values: Iterable[bytes | memoryview]) -> bytes:
    return hashlib.sha256(b"".join(values)).digest()[:ID_BYTES]


def _texts(data: bytes) -> Iterator[tuple[str, str]]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        yield "text, what is not UTF-8 replaced", data.decode("utf-8-sig", errors="replace")
        return
    yield "text", text
    text = text.removeprefix("\ufeff")
    yield "text without byte order mark", text
    yield "text without its last line break", text.removesuffix("\n").removesuffix("\r")
    yield "text without space around it", text.strip()


def _pictures(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the pixels of a picture, row by row, as grey and as colour; nothing where it does not decode."""
    images = needed("PIL.Image")

    try:
        with warnings.catch_warnings(action="ignore"), images.open(io.BytesIO(data), formats=FORMATS) as image:
            size = f"{image.width}x{image.height}"
            yield f"grey pixels, {size}", image.convert("L").tobytes()
            yield f"colour pixels, {size}", image.convert("RGB").tobytes()
    except Exception:  # decoders raise whatever broken bytes lead them to
        return


def _rows(text: str) -> Iterator[list[str]]:
    """Yield the fields of a text that is one row, or a header and one row, for each separator that splits it."""
    lines = text.strip("\r\n").splitlines()
    if len(lines) not in (1, 2):
        return
    for separator in SEPARATORS:
        try:
            *header, fields = csv.reader(lines, delimiter=separator)
        except csv.Error:
            continue
        if len(fields) > 1 and all(len(names) == len(fields) for names in header):
            yield fields


def _row_ids(fields: list[str], columns: list[tuple[str, str]]) -> Ids:
    choices = {}
    if len(fields) == len(columns):
        choices["whole row"] = list(zip(fields, columns, strict=True))
    for left_out, (name, _) in enumerate(columns):
        others = columns[:left_out] + columns[left_out + 1 :]
        given = fields[:left_out] + fields[left_out + 1 :] if len(fields) == len(columns) else fields
        if len(given) == len(others):
            choices[f"row without `{name}`"] = list(zip(given, others, strict=True))
    if len(fields) < len(columns):
        choices[f"row of {len(fields)} columns"] = list(zip(fields, columns, strict=False))
    ids: Ids = {}
    for how, pairs in choices.items():
        values = [_value(text, dtype) for text, (_, dtype) in pairs]
        if None not in values:
            ids.setdefault(_id(values), how)
    return ids


@cache
def _value(text: str, logical_type: str) -> bytes | None:
    """Return the canonical bytes of a field as a value of some type; None where it is not one.

    Lists, structs and maps are JSON.
    """
    try:
        dtype = arrow_type(logical_type)
        if _size(dtype) > MAX_ROW:
            return None
        field = text if logical_type == "string" else text.strip()
        value = _nested(field, dtype) if pat.is_nested(dtype) else _leaf(field, dtype)
        return bytes(data_of(canonical(value)))
    except (pa.ArrowException, TypeError, ValueError, OverflowError, RecursionError):
        return None


def _size(dtype: pa.DataType) -> int:
    """Return how many values, or bytes of them, Arrow has for one of a type at least, even for a null."""
    if pat.is_fixed_size_list(dtype):
        return dtype.list_size * _size(dtype.value_type)
    if pat.is_fixed_size_binary(dtype):
        return dtype.byte_width
    if pat.is_struct(dtype):
        return sum(_size(field.type) for field in dtype)
    return 1


def _nested(text: str, dtype: pa.DataType) -> pa.Array:
    return pa.array([json.loads(text) if text else None], with_texts(dtype)).cast(dtype)


def _leaf(text: str, dtype: pa.DataType) -> pa.Array:
    if text and pat.is_time(dtype):
        return pa.array([time.fromisoformat(text)], dtype)
    value = pa.array([text or None], pa.string())
    if pat.is_duration(dtype):
        return value.cast(pa.int64()).cast(dtype)
    try:
        return value.cast(dtype)
    except pa.ArrowInvalid:
        # A whole number that is written with a point.
        return value.cast(pa.float64()).cast(dtype)
