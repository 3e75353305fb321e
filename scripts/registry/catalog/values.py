"""Read some rows of a version, wherever they stand, and spell their values as a page shows them."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from registry.catalog.thumbnails import Thumbnail, thumbnail, thumbnail_of_pixels
from registry.describe.logical import is_picture
from registry.describe.turns import is_conversation
from registry.errors import RegistryError
from registry.reading.columns import FILE_NAME, IMAGE, picture_columns
from registry.reading.folders import ANNOTATIONS, IMAGES
from registry.reading.rows import SUFFIXES, names_pictures, rows_of
from registry.reading.tables import File
from registry.storage.snapshot import Snapshot

KINDS = ("parquet", "csv", "json")
"""Files that have rows, in the order in which they are preferred."""
BATCH = 500
"""Rows that are in memory at once."""
MAX_TEXT = 2000
"""Characters of a text that a page shows."""
MAX_ITEMS = 8
"""Numbers of a list that a page shows."""
SAFE = 2**53
"""The integers that JavaScript has lie below."""


@dataclass
class Values:
    """Values by row, as JSON, and the pictures that they name, by the names of their files."""

    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)


def read_values(snapshot: Snapshot, wanted: Mapping[str, Mapping[int, int]], into: Values, *, fetch: bool) -> None:
    """Add the values of rows of a version, {split: {place in it: number of the row}}, to those that were read.

    Files that are not here are fetched, or MissingDataError is raised, as `fetch` says. Raises RegistryError for a
    version without rows, and for one whose rows cannot be read.
    """
    files = [path for path in snapshot.listed(fetch=fetch) if not path.endswith(".json") or path.endswith(ANNOTATIONS)]
    tables = snapshot.tables(files, KINDS)
    for split, rows in wanted.items():
        if not rows:
            continue
        if split not in tables:
            raise RegistryError("the data has no rows that can be shown", where=f"{snapshot.name}, {split}")
        for number, values, folder in _chosen(snapshot, tables[split], rows, fetch=fetch):
            into.rows[number] = {name: _shown(value, into.pictures) for name, value in values.items()}
            if folder is not None:
                path = f"{folder}/{values[FILE_NAME].as_py()}"
                picture = _picture_file(snapshot, path, files, fetch=fetch)
                into.rows[number][IMAGE] = _kept(picture, into.pictures)


def _chosen(
    snapshot: Snapshot, tables: Sequence[str], rows: Mapping[int, int], *, fetch: bool
) -> Iterator[tuple[int, dict[str, pa.Scalar], str | None]]:
    """Yield the number of each row, its values, and the folder of the picture beside it, if it has one."""
    start, last = 0, max(rows)
    for table in tables:
        if start > last:
            return
        kind = table.rpartition(".")[2]
        here = {table: File(snapshot.local(table, fetch=fetch), f"{snapshot.name}: {table}")}
        found = rows_of(kind, [table], here, _without_pictures(kind, here), snapshot.metadata["schema"]["features"])
        folder = _beside(kind, table) if names_pictures(kind, here.values()) else None
        for batch in found.batches(BATCH):
            inside = [place for place in range(start, start + batch.num_rows) if place in rows]
            chosen = batch.take(pa.array([place - start for place in inside], pa.int64())) if inside else None
            for at, place in enumerate(inside):
                yield rows[place], {name: chosen[name][at] for name in chosen.schema.names}, folder
            start += batch.num_rows


def _without_pictures(kind: str, here: Mapping[str, File]) -> list[str] | None:
    """Return the columns to read of files whose pictures lie beside them: only those of some rows are wanted."""
    return [FILE_NAME, "messages"] if kind == "json" else None


def _beside(kind: str, table: str) -> str:
    folder = str(PurePosixPath(table).parent)
    return folder + IMAGES.rstrip("/") if kind == "json" else folder


def _picture_file(snapshot: Snapshot, path: str, files: Sequence[str], *, fetch: bool) -> Thumbnail | None:
    if path not in files or not path.lower().endswith(SUFFIXES):
        return None
    return thumbnail(Path(snapshot.local(path, fetch=fetch)).read_bytes())


def _shown(value: pa.Scalar, pictures: dict[str, bytes]) -> Any:
    """Return a value as a page shows it; a picture goes to `pictures`."""
    dtype = value.type
    if not value.is_valid:
        return None
    if is_picture(dtype):
        return _kept(thumbnail_of_pixels(value.as_py()), pictures)
    if picture_columns(pa.schema([(IMAGE, dtype)])):
        content = value.as_py()
        return _kept(thumbnail(content["bytes"] if isinstance(content, Mapping) else content), pictures)
    if is_conversation(dtype):
        return {"messages": [_message(turn) for turn in value.as_py()[:MAX_ITEMS]]}
    return _plain(value.as_py())


def _kept(picture: Thumbnail | None, pictures: dict[str, bytes]) -> dict[str, Any]:
    if picture is None:
        return {"note": "a picture that cannot be shown"}
    pictures[picture.name] = picture.content
    return {"picture": picture.name, "width": picture.width, "height": picture.height}


def _message(turn: Mapping[str, Any]) -> list[Any]:
    return [_plain(value) for value in turn.values()]


def _plain(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case int():
            return value if -SAFE < value < SAFE else str(value)
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
