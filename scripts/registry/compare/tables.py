"""Read the rows of a version as they lie in its files, in the order of its manifest."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import pyarrow as pa

from registry.errors import RegistryError
from registry.reading.columns import FILE_NAME
from registry.reading.folders import ANNOTATIONS, IMAGES
from registry.reading.rows import Rows, names_pictures, rows_of
from registry.reading.tables import File
from registry.storage.snapshot import Snapshot

KINDS = ("parquet", "csv", "json")
"""Files that have rows, in the order in which they are preferred."""
NAMED = [FILE_NAME, "messages"]
"""The columns of conversations about pictures, but for the pictures."""
VALUES, BYTES = 50_000, 4 << 20
"""Values, and bytes as they are in the files, that are in memory at once, as far as rows are alike."""
FEWEST = 100
"""Rows that are in memory at once, however large they are."""


class Batch(NamedTuple):
    """Some rows of a split, the place of the first of them in it, and the folder of pictures beside them, if any."""

    start: int
    rows: pa.RecordBatch
    pictures: str | None


def files_of(snapshot: Snapshot) -> list[str]:
    """Return the files of a version's data that rows, or pictures beside them, may be in."""
    return [path for path in snapshot.listed() if not path.endswith(".json") or path.endswith(ANNOTATIONS)]


def tables_of(snapshot: Snapshot) -> dict[str, list[str]]:
    """Return {split: its files with rows}. Raises RegistryError where a split has none."""
    found = snapshot.tables(files_of(snapshot), KINDS)
    if lacking := [split for split in snapshot.metadata["splits"] if split not in found]:
        raise RegistryError("the data has no rows that can be shown", where=f"{snapshot.name}, {lacking[0]}")
    return found


def columns_of(snapshot: Snapshot, table: str) -> list[str]:
    """Return the columns of a table, which is fetched at need; those that files beside it would make are left out."""
    return _rows_in(snapshot, table, _file(snapshot, table)).schema.names


def batches_of(
    snapshot: Snapshot, tables: list[str], end: int | None = None, columns: Sequence[str] | None = None
) -> Iterator[Batch]:
    """Yield the rows of a split in batches, at least all before the place `end`; what is not here is fetched.

    They have these columns, else all. Pictures that are files of their own are not read. Raises RegistryError.
    """
    start, at_once = 0, _rows_at_once(snapshot)
    for table in tables:
        kind, file = _kind(table), _file(snapshot, table)
        folder = _folder_of_pictures(kind, table) if names_pictures(kind, [file]) else None
        for rows in _rows_in(snapshot, table, file, columns).batches(at_once):
            if end is not None and start >= end:
                return
            yield Batch(start, rows, folder)
            start += rows.num_rows


def _kind(table: str) -> str:
    return table.rpartition(".")[2]


def _file(snapshot: Snapshot, table: str) -> File:
    return File(snapshot.local(table), f"{snapshot.name}: {table}")


def _rows_in(snapshot: Snapshot, table: str, file: File, columns: Sequence[str] | None = None) -> Rows:
    """Return the rows of a table, which have these columns, else all that need no other file."""
    kind = _kind(table)
    chosen = columns or (NAMED if kind == "json" else None)
    return rows_of(kind, [table], {table: file}, chosen, snapshot.metadata["schema"]["features"])


def _rows_at_once(snapshot: Snapshot) -> int:
    columns, rows = len(snapshot.metadata["schema"]["features"]), max(1, snapshot.rows)
    size = snapshot.provenance["data"]["bytes"] / rows
    return max(FEWEST, int(min(VALUES / max(1, columns), BYTES / max(1, size))))


def _folder_of_pictures(kind: str, table: str) -> str:
    folder = str(PurePosixPath(table).parent)
    return folder + IMAGES.rstrip("/") if kind == "json" else folder
