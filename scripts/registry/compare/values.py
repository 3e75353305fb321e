"""Read the old and the new values of rows that changed, from the tables of both states."""

import hashlib
import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import csv

from registry.compare.diff import DatasetDiff
from registry.compare.manifests import ManifestFile, read_manifest, rows_of_splits
from registry.compare.rows import Columns
from registry.describe.canonical import canonical, row_digests
from registry.describe.layout import ID_BYTES
from registry.describe.logical import arrow_type, logical_type, with_texts
from registry.errors import RegistryError
from registry.formats.parquet import check_batch, open_parquet
from registry.storage.damage import MissingDataError
from registry.storage.snapshot import Snapshot

MAX_BYTES = 1 << 28
"""Bytes of a table that is read as a whole, and of the texts in rows that are shown."""
BATCH = 1000
"""Rows that are read at once."""
NOT_IN_CSV = ("list<", "fixed_size_list<", "struct<", "map<", "duration[")
"""How the names of types begin that no CSV file has: such a column is read as what it looks like."""


@dataclass(frozen=True)
class ChangedRow:
    """A row that changed: {column: (old, new value)} of the columns that both states have and in which it differs.

    Bytes are shown by their number and their SHA-256, dates, times and decimals as texts, durations as numbers of the
    unit that their type names, and maps as lists of pairs. What is nested in a record of JSON has its path for a name
    (`conversations.1.value`). `checked` tells whether the rows of both tables are known to be those of the manifests:
    where a model computed a column, and of JSON, only their number is.
    """

    split: str
    key: str
    values: dict[str, tuple[Any, Any]]
    checked: bool


class Read(NamedTuple):
    """What was read of a table: how many rows it has, and {position: row, and its sample id if that can be told}."""

    count: int
    rows: dict[int, dict[str, Any]]
    ids: dict[int, bytes]


@dataclass(frozen=True)
class _Side:
    snapshot: Snapshot
    manifest: ManifestFile

    def read(self, split: str, positions: Sequence[int], *, fetch: bool) -> Read:
        """Return the rows at these positions of a split; `fetch` the tables if they are not here.

        Raises RegistryError where no table has them, MissingDataError where one is not here.
        """
        name, found = self.snapshot.name, Read(0, {}, {})
        for table, place in self._places(split, fetch=fetch).items():
            start = found.count
            read = _read(table, place, [position - start for position in positions], self.manifest.schema)
            found.rows.update({start + position: row for position, row in read.rows.items()})
            found.ids.update({start + position: sample_id for position, sample_id in read.ids.items()})
            found = found._replace(count=start + read.count)
        if found.count != self.snapshot.sizes[split] or found.rows.keys() != {*positions}:
            raise RegistryError(f"{name} has no table with one row for each sample of {split}")
        if self._is_computed():
            return found._replace(ids={})
        if found.ids != self._sample_ids(split, found.ids):
            raise RegistryError(f"the table of {split} in {name} has its rows in another order than the manifest")
        return found

    def _places(self, split: str, *, fetch: bool) -> dict[str, Path]:
        """Return {table of a split: where it can be read}."""
        try:
            tables = self.snapshot.tables(self.snapshot.listed(fetch=fetch), tuple(READERS)).get(split, [])
            return {table: self.snapshot.local(table, fetch=fetch) for table in tables}
        except MissingDataError as error:
            if fetch:
                raise
            raise MissingDataError(f"the data of {self.snapshot.name} is not here") from error

    def _is_computed(self) -> bool:
        """Tell whether a model computed a column: it counts as that model for the ids of samples."""
        return any(one.get("computed") for one in self.snapshot.metadata["schema"]["features"].values())

    def _sample_ids(self, split: str, positions: Collection[int]) -> dict[int, bytes]:
        rows = rows_of_splits(self.manifest.split_sizes())[split]
        return {
            position: ids[rows[position] - first].as_py()
            for first, ids in self.manifest.column("sample_id", rows)
            for position in positions
            if rows[position] in range(first, first + len(ids))
        }


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
        before, after = (side.read(split, those, fetch=fetch) for side, those in zip(sides, positions, strict=True))
        for change in changes:
            values = _differing(before.rows[change.old], after.rows[change.new], found.columns)
            checked = change.old in before.ids and change.new in after.ids
            changed.append(ChangedRow(split, change.key, values, checked))
    return changed


def _differing(old: dict[str, Any], new: dict[str, Any], columns: Columns) -> dict[str, tuple[Any, Any]]:
    old = {columns.renamed.get(name, name): value for name, value in old.items()}
    names = [name for name in old | new if name not in columns.added and name not in columns.removed]
    pairs = {name: (_shown(old.get(name)), _shown(new.get(name))) for name in names}
    # Unlike `!=`, this takes NaN for the same as NaN.
    return {name: pair for name, pair in pairs.items() if repr(pair[0]) != repr(pair[1])}


def _shown(value: Any) -> Any:
    match value:
        case bytes():
            return f"{len(value):,} bytes, sha256:{hashlib.sha256(value).hexdigest()}"
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {name: _shown(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_shown(inner) for inner in value]
        case None | bool() | int() | float() | str():
            return value
    return str(value)


def _read(table: str, path: Path, positions: Sequence[int], types: Mapping[str, str]) -> Read:
    """Read a table of any kind. Raises RegistryError, whatever is wrong with it."""
    try:
        if not table.endswith(".parquet") and path.stat().st_size > MAX_BYTES:
            raise RegistryError(f"larger than {MAX_BYTES:,} bytes")
        return READERS[table.rpartition(".")[2]](path, positions, types)
    except RegistryError as error:
        raise RegistryError(error.what, where=table) from None
    except (pa.ArrowException, ValueError, OSError, LookupError, OverflowError, RecursionError, MemoryError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise RegistryError(f"cannot be read: {reason}", where=table) from None


def _read_parquet(path: Path, positions: Sequence[int], types: Mapping[str, str]) -> Read:
    read, first, size = Read(0, {}, {}), 0, 0
    with open_parquet(path) as file:
        for number in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(number).num_rows
            if any(first <= position < first + group for position in positions):
                start = first
                for batch in file.iter_batches(BATCH, row_groups=[number], use_threads=False):
                    inside = [position for position in positions if start <= position < start + batch.num_rows]
                    chosen = batch.take(pa.array([position - start for position in inside], pa.int64()))
                    size += check_batch(chosen, start, path)
                    if size > MAX_BYTES:
                        raise RegistryError(f"these rows have more than {MAX_BYTES:,} bytes")
                    _add(read, inside, pa.table(chosen), types)
                    start += batch.num_rows
            first += group
    return read._replace(count=first)


def _read_csv(path: Path, positions: Sequence[int], types: Mapping[str, str]) -> Read:
    options = csv.ConvertOptions(
        column_types={name: arrow_type(dtype) for name, dtype in types.items() if not dtype.startswith(NOT_IN_CSV)},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    # In one block, for a row must not be longer than one.
    blocks = csv.ReadOptions(block_size=path.stat().st_size + 1)
    table = csv.read_csv(path, blocks, csv.ParseOptions(newlines_in_values=True), options)
    inside = [position for position in positions if 0 <= position < table.num_rows]
    read = Read(table.num_rows, {}, {})
    _add(read, inside, table.take(pa.array(inside, pa.int64())), types)
    return read


def _read_json(path: Path, positions: Sequence[int], types: Mapping[str, str]) -> Read:
    records = json.loads(path.read_bytes())
    if not isinstance(records, list):
        raise RegistryError("not a list of records")
    inside = [position for position in positions if 0 <= position < len(records)]
    return Read(len(records), {position: _leaves(records[position]) for position in inside}, {})


READERS: dict[str, Callable[[Path, Sequence[int], Mapping[str, str]], Read]] = {
    "parquet": _read_parquet,
    "csv": _read_csv,
    "json": _read_json,
}
"""By the suffix of a table: how rows at some positions are read. Positions that it does not have are left out."""


def _add(read: Read, positions: Sequence[int], rows: pa.Table, types: Mapping[str, str]) -> None:
    """Add the rows of a table, which stand at these positions."""
    texts = pa.schema([field.with_type(with_texts(field.type)) for field in rows.schema])
    read.rows.update(zip(positions, (rows if texts == rows.schema else rows.cast(texts)).to_pylist(), strict=True))
    try:
        told = types and all(logical_type(rows.schema.field(name).type) == dtype for name, dtype in types.items())
        columns = [canonical(rows[name].combine_chunks()) for name in types] if told else []
    except (KeyError, TypeError):
        return
    if columns:
        ids = row_digests(columns, ID_BYTES)
        read.ids.update({position: ids[ID_BYTES * n :][:ID_BYTES] for n, position in enumerate(positions)})


def _leaves(value: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what a record of JSON holds, by its path; a list stays a list unless it holds objects or lists."""
    if isinstance(value, dict) and value:
        inner = ((key if "." not in key else json.dumps(key), one) for key, one in value.items())
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        inner = ((str(number), one) for number, one in enumerate(value))
    else:
        return {".".join(path): value}
    return {name: leaf for key, below in inner for name, leaf in _leaves(below, (*path, key)).items()}
