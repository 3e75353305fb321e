"""Find the first rows of a state of a dataset that have given values."""

from collections.abc import Sequence

import polars as pl

from registry.compare.tables import batches_of, columns_of, tables_of
from registry.describe.breaches import Row, with_keys
from registry.describe.measures import plain
from registry.errors import RegistryError
from registry.storage.snapshot import Snapshot


def first_rows(snapshot: Snapshot, split: str, column: str, values: Sequence[str]) -> dict[str, Row]:
    """Return {value: the first row of a split that has it}, of texts, integers or booleans as a profile names them.

    Raises RegistryError where the rows cannot be read.
    """
    found: dict[str, int] = {}
    tables = tables_of(snapshot)[split]
    if column not in columns_of(snapshot, tables[0]):
        raise RegistryError(f"its tables have no column {column}", where=snapshot.name)
    for batch in batches_of(snapshot, tables, columns=[column]):
        texts = pl.Series(plain(batch.rows.column(0))).cast(pl.String)
        for value in values:
            if value not in found and len(places := (texts == value).arg_true()):
                found[value] = batch.start + places[0]
        if len(found) == len(values):
            break
    rows = with_keys(snapshot.manifest(), [Row(split, number) for number in found.values()])
    return dict(zip(found, rows, strict=True))
