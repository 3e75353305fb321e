"""Find rows of a state of a dataset that are near-duplicates of rows of other states, by what their files hold."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from registry.compare.tables import KINDS, Batch, batches_of, columns_of, files_of
from registry.describe.logical import arrow_type, logical_type
from registry.describe.metadata import leakage_of
from registry.describe.near import Pairs, Wanted
from registry.describe.samples import PICTURES, Samples
from registry.errors import RegistryError
from registry.reading.columns import FILE_NAME, IMAGE
from registry.storage.damage import MissingDataError
from registry.storage.snapshot import Snapshot

AT_ONCE = 25
"""Pictures that are files which are in memory at once."""


class Part(NamedTuple):
    """Some rows of a state of a dataset: {split: their places in it, int64, in order}."""

    snapshot: Snapshot
    places: Mapping[str, np.ndarray]

    @property
    def size(self) -> int:
        """How many rows these are."""
        return sum(map(len, self.places.values()))

    def tables(self) -> dict[str, list[str]]:
        """Return the tables of those splits that have some."""
        return self.snapshot.tables(files_of(self.snapshot), KINDS)


@dataclass(frozen=True)
class Inputs:
    """By what rows are compared: columns, with their types, of which floats count to so many significant `digits`.

    `sort` is that of registry.describe.samples. Where a script has pictures from its sources, those that the tables
    name are taken.
    """

    columns: Mapping[str, str | None]
    digits: int
    sort: str

    @classmethod
    def of(cls, snapshot: Snapshot, digits: int) -> "Inputs | None":
        """Return by what the rows of a state are compared, as its metadata.json says; None if it does not.

        Raises GateError.
        """
        found = leakage_of(snapshot.metadata, where=snapshot.name)
        return cls(_typed(found["columns"], snapshot), digits, found["compared"]) if found else None

    def columns_in(self, snapshot: Snapshot, tables: Sequence[str]) -> list[str] | None:
        """Return which columns of the tables of a split hold them, or name the files that do; None where none does."""
        there = columns_of(snapshot, tables[0])
        if {*self.columns} <= {*there} and None not in self.columns.values():
            return [*self.columns]
        beside = self.sort == PICTURES and FILE_NAME in there and not tables[0].endswith(".csv")
        return [FILE_NAME] if beside else None

    def are_in(self, part: Part) -> bool:
        """Tell whether tables have them, of the same types, of all these rows. Raises RegistryError."""
        if _typed(self.columns, part.snapshot) != self.columns:
            return False
        tables = part.tables()
        return all(split in tables and self.columns_in(part.snapshot, tables[split]) for split in part.places)


def _typed(columns: Iterable[str], snapshot: Snapshot) -> dict[str, str | None]:
    features = snapshot.metadata["schema"]["features"]
    return {name: features.get(name, {}).get("dtype") for name in columns}


def near_rows(one: Part, others: Sequence[Part], inputs: Inputs, wanted: Wanted, threads: int = 1) -> Pairs:
    """Yield arrays (i, j, distance) of near-duplicates: rows of one part and of others, by their numbers in these.

    The rows of the others are numbered on from part to part. `wanted` tells of pairs (i, j) which ones would add to
    what is known. The inputs are in all parts; what is not here is fetched. Pictures are compared on so many `threads`.
    Raises RegistryError.
    """
    samples, start = None, sum(part.size for part in others)
    for part in (*others, one):
        for batch in _named(part.snapshot.name, _read(part, inputs)):
            samples = samples or Samples(batch, inputs.digits, threads, inputs.sort)
            samples.add(batch)

    def adds(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return wanted(np.maximum(i, j) - start, np.minimum(i, j))

    if samples and start:
        for i, j, distances in samples.pairs(np.arange(start + one.size), start, adds, across=True):
            yield np.maximum(i, j) - start, np.minimum(i, j), distances


def _named(name: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield batches; where their data is missing, the error says of what."""
    try:
        yield from batches
    except MissingDataError as error:
        raise RegistryError(error.what, where=name) from None


def _read(part: Part, inputs: Inputs) -> Iterator[pa.RecordBatch]:
    """Yield the inputs of rows, in order."""
    tables = part.tables()
    for split in part.places:
        columns = inputs.columns_in(part.snapshot, tables[split])
        batches = _batches(part, split, tables[split], columns)
        in_tables = columns == [*inputs.columns]
        rows = (_of_types(batch.rows, inputs, part.snapshot) for batch in batches)
        yield from rows if in_tables else _pictures(part.snapshot, batches)


def _batches(part: Part, split: str, tables: list[str], columns: Sequence[str] | None) -> Iterator[Batch]:
    """Yield the rows of a split in the part, in order."""
    places, found = part.places[split], 0
    for batch in batches_of(part.snapshot, tables, int(places[-1]) + 1, columns):
        first, end = np.searchsorted(places, [batch.start, batch.start + batch.rows.num_rows])
        found += end - first
        if first < end:
            yield batch._replace(rows=batch.rows.take(pa.array(places[first:end] - batch.start)))
    if found < len(places):
        raise RegistryError("its tables have fewer rows than its manifest", where=f"{part.snapshot.name}, {split}")


def _of_types(rows: pa.RecordBatch, inputs: Inputs, snapshot: Snapshot) -> pa.RecordBatch:
    """Return rows as columns of the types that metadata.json has told. Raises RegistryError."""
    columns = []
    for name, dtype in inputs.columns.items():
        column = rows[name]
        try:
            columns.append(column if logical_type(column.type) == dtype else column.cast(arrow_type(dtype)))
        except (pa.ArrowException, ValueError):
            what = f"its column {name} is {logical_type(column.type)}, not {dtype} as its metadata.json says"
            raise RegistryError(what, where=snapshot.name) from None
    return pa.record_batch(columns, names=[*inputs.columns])


def _pictures(snapshot: Snapshot, batches: Iterable[Batch]) -> Iterator[pa.RecordBatch]:
    """Yield the pictures that rows name, null for those that are not there."""
    paths = [f"{batch.pictures}/{name}" for batch in batches for name in batch.rows[FILE_NAME].to_pylist()]
    files = {*files_of(snapshot)}
    there = snapshot.places({path for path in paths if path in files})
    for start in range(0, len(paths), AT_ONCE):
        some = [there[path].read_bytes() if path in there else None for path in paths[start : start + AT_ONCE]]
        yield pa.record_batch([pa.array(some, pa.binary())], names=[IMAGE])
