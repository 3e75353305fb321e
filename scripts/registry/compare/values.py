"""Read the old and the new values of rows that changed, from the tables of both states."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from registry.compare.diff import DatasetDiff
from registry.compare.manifests import ManifestFile, read_manifest
from registry.compare.rows import Columns
from registry.describe.canonical import canonical, logical_type
from registry.describe.layout import ID_BYTES
from registry.errors import RegistryError
from registry.formats.parquet import open_parquet
from registry.gate import read_json
from registry.storage.snapshot import Snapshot

MAX_BYTES = 1 << 30
"""Bytes of a table that is read as a whole."""


@dataclass(frozen=True)
class ChangedRow:
    """A row that changed: {column: (old, new value)} of the columns that both states have and in which it differs.

    Bytes are shown by their number and their SHA-256. What is nested in a record of JSON has its path for a name
    (`conversations.1.value`).
    """

    split: str
    key: str
    values: dict[str, tuple[Any, Any]]


class Read(NamedTuple):
    """What was read of a table: how many rows it has, and {position: row, and its sample id if that can be told}."""

    count: int
    rows: dict[int, dict[str, Any]]
    ids: dict[int, bytes]


@dataclass(frozen=True)
class _Side:
    snapshot: Snapshot
    manifest: ManifestFile

    def rows(self, split: str, positions: Sequence[int], *, fetch: bool) -> list[dict[str, Any]]:
        """Return the rows at these positions of a split; `fetch` the tables if they are not here.

        Raises RegistryError where no table has them, MissingDataError where one is not here.
        """
        name = self.snapshot.name
        tables = self.snapshot.tables(self.snapshot.listed(fetch=fetch), tuple(READERS)).get(split, [])
        rows, ids, start = {}, {}, 0
        for table in tables:
            read = READERS[table.rpartition(".")[2]]
            found = read(self.snapshot.local(table, fetch=fetch), [one - start for one in positions], self._types())
            rows |= {start + position: row for position, row in found.rows.items()}
            ids |= {start + position: id_ for position, id_ in found.ids.items()}
            start += found.count
        if start != self.snapshot.metadata["splits"][split]["num_samples"]:
            raise RegistryError(f"{name} has no table with one row for each sample of {split}")
        if ids != self._sample_ids(split, ids):
            raise RegistryError(f"the table of {split} in {name} has its rows in another order than the manifest")
        return [rows[position] for position in positions]

    def _types(self) -> dict[str, str]:
        """Return {column: type} of the columns that sample ids are made of; {} where a model computed one of them."""
        features = self.snapshot.metadata["schema"]["features"].values()
        return {} if any(one.get("computed") for one in features) else self.manifest.schema

    def _sample_ids(self, split: str, positions: Iterable[int]) -> dict[int, bytes]:
        sizes = self.manifest.split_sizes()
        start = sum(size for _, size in takewhile(lambda one: one[0] != split, sizes.items()))
        column = pq.read_table(self.manifest.path, columns=["sample_id"]).column(0)
        return {position: column[start + position].as_py() for position in positions}


def changed_rows(old: Snapshot, new: Snapshot, found: DatasetDiff, *, fetch: bool) -> list[ChangedRow]:
    """Return old and new values of the changed rows that a diff names; `fetch` the tables if they are not here.

    Raises RegistryError where no table has them, MissingDataError where one is not here and is not to be fetched.
    """
    differing = [(split, rows.changes) for split, rows in found.splits.items() if rows.changes]
    if not differing:
        return []
    sides = [_Side(snapshot, read_manifest(snapshot.manifest())) for snapshot in (old, new)]
    changed = []
    for split, changes in differing:
        positions = [change.old for change in changes], [change.new for change in changes]
        rows = [side.rows(split, places, fetch=fetch) for side, places in zip(sides, positions, strict=True)]
        for change, *pair in zip(changes, *rows, strict=True):
            changed.append(ChangedRow(split, change.key, _differing(*pair, found.columns)))
    return changed


def _differing(old: dict[str, Any], new: dict[str, Any], columns: Columns) -> dict[str, tuple[Any, Any]]:
    old = {columns.renamed.get(name, name): value for name, value in old.items()}
    names = [name for name in old | new if name not in columns.added and name not in columns.removed]
    pairs = {name: (_shown(old.get(name)), _shown(new.get(name))) for name in names}
    # Unlike `!=`, this takes NaN for the same as NaN.
    return {name: pair for name, pair in pairs.items() if repr(pair[0]) != repr(pair[1])}


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"{len(value):,} bytes, sha256:{hashlib.sha256(value).hexdigest()}"
    if isinstance(value, dict):
        return {name: _shown(inner) for name, inner in value.items()}
    return [_shown(inner) for inner in value] if isinstance(value, list) else value


def _read_parquet(path: Path, positions: Sequence[int], types: Mapping[str, str]) -> Read:
    with open_parquet(path) as file:
        read, first = Read(file.metadata.num_rows, {}, {}), 0
        for number in range(file.metadata.num_row_groups):
            count = file.metadata.row_group(number).num_rows
            inside = [position for position in positions if first <= position < first + count]
            if inside:
                group = file.read_row_group(number, use_threads=False)
                _add(read, inside, group.take([position - first for position in inside]), types)
            first += count
        return read


def _read_csv(path: Path, positions: Sequence[int], types: Mapping[str, str]) -> Read:
    _check_size(path)
    try:
        options = csv.ConvertOptions(
            column_types={name: pa.type_for_alias(dtype) for name, dtype in types.items() if "<" not in dtype},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        table = csv.read_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True), convert_options=options)
    except (pa.ArrowException, ValueError) as error:
        raise RegistryError(f"cannot be read as CSV: {str(error).partition(chr(10))[0]}", where=path) from None
    inside = [position for position in positions if 0 <= position < table.num_rows]
    read = Read(table.num_rows, {}, {})
    _add(read, inside, table.take(pa.array(inside, pa.int64())), types)
    return read


def _read_json(path: Path, positions: Sequence[int], types: Mapping[str, str]) -> Read:
    _check_size(path)
    records = read_json(path.read_bytes(), where=path)
    if not isinstance(records, list):
        raise RegistryError("is not a list of records", where=path)
    inside = [position for position in positions if 0 <= position < len(records)]
    return Read(len(records), {position: _leaves(records[position]) for position in inside}, {})


READERS: dict[str, Callable[[Path, Sequence[int], Mapping[str, str]], Read]] = {
    "parquet": _read_parquet,
    "csv": _read_csv,
    "json": _read_json,
}
"""By the suffix of a table: how rows at some positions are read. Positions that it does not have are left out."""


def _check_size(path: Path) -> None:
    if path.stat().st_size > MAX_BYTES:
        raise RegistryError(f"is larger than {MAX_BYTES:,} bytes", where=path)


def _add(read: Read, positions: Sequence[int], rows: pa.Table, types: Mapping[str, str]) -> None:
    """Add the rows of a table, which stand at these positions."""
    read.rows.update(zip(positions, rows.to_pylist(), strict=True))
    try:
        told = types and all(logical_type(rows.schema.field(name).type) == dtype for name, dtype in types.items())
        columns = [canonical(rows[name].combine_chunks()) for name in types] if told else []
    except (KeyError, TypeError):
        return
    for position, *values in zip(positions, *columns, strict=bool(columns)) if columns else ():
        read.ids[position] = hashlib.sha256(b"".join(values)).digest()[:ID_BYTES]


def _leaves(value: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what a record of JSON holds, by its path; a list stays a list unless it holds objects or lists."""
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        inner = ((str(number), one) for number, one in enumerate(value))
    else:
        return {".".join(path): value}
    return {name: leaf for key, below in inner for name, leaf in _leaves(below, (*path, key)).items()}
