"""Tables: rows of files in any common format, with the columns of the contract."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from registry.kinds.columns import Columns
from registry.kinds.files import Format, batches
from registry.kinds.inputs import inputs_of
from registry.kinds.rows import DUPLICATES, Rows
from registry.kinds.splitting import splitter

POLICIES = {DUPLICATES: "keep"}
"""What becomes of rows with problems, unless the params say."""


def positions(file: str, start: int, count: int) -> pl.Series:
    """Name rows by their source file and 0-based position in it, as `file:position`."""
    return pl.select(pl.concat_str(pl.lit(f"{file}:"), pl.int_range(start, start + count))).to_series()


def read(files: Mapping[str, Path], contract: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[Rows]:
    """Yield the rows of source files {name: path}, in their order, with the columns of the contract.

    Raises RegistryError for what is no row of this table: see `registry.kinds.files` and `registry.kinds.columns`.
    """
    columns = Columns(contract, params.get("columns", {}))
    layout = Format(**params.get("format", {}), names=params.get("names", ()))
    split, key = params.get("split", {}), params.get("key")
    assign = splitter(split or None, inputs_of(contract, params))
    # What tells the split of a row need not be published.
    beside = [name for name in (split.get("column"), *split.get("by", ())) if name and name not in contract]
    for file, path in files.items():
        start = 0
        for batch in batches(path, layout, columns.wanted() | dict.fromkeys(beside, pl.String())):
            samples = columns.converted(batch, file, start)
            keys = samples.get_column(key).cast(pl.String) if key else positions(file, start, batch.height)
            splits = assign(file, samples.hstack([batch.get_column(name) for name in beside]))
            yield Rows(samples, keys, splits)
            start += batch.height
