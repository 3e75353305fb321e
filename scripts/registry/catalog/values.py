"""Read some rows of a version, wherever they stand, and spell their values as a page shows them."""

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from registry.catalog.thumbnails import Thumbnail, thumbnail, thumbnail_of_pixels
from registry.compare.tables import batches_of, files_of, tables_of
from registry.describe.logical import is_picture
from registry.describe.turns import is_conversation
from registry.reading.columns import FILE_NAME, IMAGE, in_range, picture_columns
from registry.reading.rows import SUFFIXES
from registry.storage.snapshot import Snapshot

MAX_TEXT = 2000
"""Characters of a text that a page shows."""
MAX_ITEMS = 8
"""Numbers of a list that a page shows."""
SAFE = 2**53
"""The integers that JavaScript has lie below."""


ROWS = 10
"""Rows that are spelt at once."""


@dataclass
class Values:
    """Values by row, as JSON, and the pictures that they name, by the names of their files.

    Once `room` for bytes of JSON and pictures, or for pixels of the pictures that these are of, is filled, no more are
    taken.
    """

    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    room: tuple[float, float] = (math.inf, math.inf)

    def add(self, number: int, row: dict[str, Any]) -> None:
        """Add a row."""
        self.rows[number] = row
        if self.room[0] < math.inf:
            pictures = [value for value in row.values() if isinstance(value, dict) and "picture" in value]
            size = len(json.dumps([*row.values()])) + sum(len(self.pictures[one["picture"]]) for one in pictures)
            pixels = sum(one["width"] * one["height"] for one in pictures)
            self.room = self.room[0] - size, self.room[1] - pixels

    @property
    def full(self) -> bool:
        """Tell whether there is no room left."""
        return min(self.room) <= 0


def read_values(snapshot: Snapshot, wanted: Mapping[str, Mapping[int, int]], into: Values) -> None:
    """Add the values of rows of a version, {split: {place in it: number of the row}}, to those that were read.

    What is not here is fetched. Raises RegistryError for a version without rows, and for one whose rows cannot be read.
    """
    if not any(wanted.values()):
        return
    for split, tables in tables_of(snapshot).items():
        if rows := wanted.get(split):
            read_tables(snapshot, tables, rows, into)


def read_tables(snapshot: Snapshot, tables: list[str], rows: Mapping[int, int], into: Values) -> None:
    """Do the same for rows of tables that follow each other, {place in them: number of the row}."""
    files = {*files_of(snapshot)}
    for start, batch, folder in batches_of(snapshot, tables, max(rows) + 1):
        inside = [place for place in range(start, start + batch.num_rows) if place in rows]
        for first in range(0, len(inside), ROWS):
            if into.full:
                return
            some = inside[first : first + ROWS]
            chosen = batch.take(pa.array([place - start for place in some], pa.int64()))
            columns = {field.name: _spelt(chosen[field.name], field, into.pictures) for field in chosen.schema}
            for at, place in enumerate(some):
                row = {name: values[at] for name, values in columns.items()}
                if folder is not None:
                    picture = _picture_file(snapshot, f"{folder}/{chosen[FILE_NAME][at]}", files)
                    row[IMAGE] = _kept(picture, into.pictures)
                into.add(rows[place], row)


def read_picture(snapshot: Snapshot, path: str, number: int, into: Values) -> None:
    """Add a picture that is a file of a version's data as the row of this number."""
    into.add(number, {IMAGE: _kept(thumbnail(snapshot.local(path).read_bytes()), into.pictures)})


def _picture_file(snapshot: Snapshot, path: str, files: Collection[str]) -> Thumbnail | None:
    if path not in files or not path.lower().endswith(SUFFIXES):
        return None
    return thumbnail(snapshot.local(path).read_bytes())


def _spelt(column: pa.Array, field: pa.Field, pictures: dict[str, bytes]) -> list[Any]:
    """Return the values of a column as a page shows them; pictures of it go to `pictures`. Raises RegistryError."""
    spell = _speller(field.type, pictures)
    with in_range(field.name):
        return [None if value is None else spell(value) for value in column.to_pylist()]


def _speller(dtype: pa.DataType, pictures: dict[str, bytes]) -> Callable[[Any], Any]:
    if is_picture(dtype):
        return lambda value: _kept(thumbnail_of_pixels(value), pictures)
    if picture_columns(pa.schema([(IMAGE, dtype)])):
        return lambda value: _kept(thumbnail(value["bytes"] if isinstance(value, Mapping) else value), pictures)
    if is_conversation(dtype):
        return lambda value: {"messages": [_message(turn) for turn in value[:MAX_ITEMS]]}
    return _plain


def _kept(picture: Thumbnail | None, pictures: dict[str, bytes]) -> dict[str, Any]:
    if picture is None:
        return {"note": "a picture that cannot be shown"}
    pictures[picture.name] = picture.content
    return {"picture": picture.name, "width": picture.width, "height": picture.height}


def _message(turn: Mapping[str, Any] | None) -> list[Any]:
    return [None, None] if turn is None else [_plain(turn[name]) for name in ("role", "content")]


def exact(value: Any) -> Any:
    """Return a value; an integer that JavaScript would round, as a text."""
    return value if not isinstance(value, int) or -SAFE < value < SAFE else str(value)


def _plain(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case int():
            return exact(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return value if len(value) <= MAX_TEXT else {"text": value[:MAX_TEXT], "of": len(value)}
        case bytes():
            return {"note": f"{len(value):,} bytes"}
        case list() if value and all(isinstance(item, int | float) for item in value):
            return {"numbers": [_plain(item) for item in value[:MAX_ITEMS]], "of": len(value)}
        case list() | dict():
            return _plain(json.dumps(value, ensure_ascii=False, default=str))
    return _plain(str(value))
