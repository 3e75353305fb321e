"""Read the values to which contracts refer: those that a column of another dataset has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from registry.config.columns import Spec, places
from registry.describe.columns import column_type, type_in_words
from registry.errors import RegistryError

Referenced = Mapping[tuple[str, str], pl.Series]
"""The values of columns, each once and without null, by the names of dataset and column."""


def read_referenced(dataset: Mapping[str, Any], data: Mapping[str, Path]) -> Referenced:
    """Return the values of all columns that the contract of a dataset refers to; `data` is {dataset: file or folder}.

    They are read from Parquet files. Raises RegistryError where there are none, and where one lacks the column, or has
    it of another type.
    """
    found: dict[tuple[str, str], pl.Series] = {}
    for _, spec in places(dataset["contract"]["columns"]):
        if to := spec.get("references"):
            key = other, column = to["dataset"], to["column"]
            if key not in found:
                found[key] = _values(column, data[other], spec)
    return found


def _values(column: str, data: Path, spec: Spec) -> pl.Series:
    found = [pl.Series(dtype=column_type(spec))]
    for file in [data] if data.suffix == ".parquet" else sorted(data.rglob("*.parquet")):
        if column not in pq.read_schema(file).names:
            raise RegistryError(f"it has no column {column}, to which a contract refers", where=str(file))
        # Polars takes a name such as `^...$` for a pattern.
        values = pl.from_arrow(pq.read_table(file, columns=[column]).column(column)).rename("")
        if values.dtype != found[0].dtype:
            wanted = f"not {type_in_words(spec)} as in the contract that refers to it"
            raise RegistryError(f"its column {column} is {values.dtype}, {wanted}", where=str(file))
        found.append(values.drop_nulls().unique())
    if len(found) == 1:
        raise RegistryError("it has no Parquet file, which a contract that refers to it needs", where=str(data))
    return pl.concat(found).unique()
