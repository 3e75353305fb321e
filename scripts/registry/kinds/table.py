"""Tables: rows of files in any common format, with the columns of the contract."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from registry.kinds.columns import Columns
from registry.kinds.files import Format, batches, types_beside
from registry.kinds.inputs import inputs_of
from registry.kinds.rows import DUPLICATES, Rows, positions
from registry.kinds.splitting import splitter
from registry.sources.subsample import Subsample

POLICIES = {DUPLICATES: "keep"}
"""What becomes of rows with problems, unless the params say."""


@dataclass(frozen=True)
class Derived:
    """Columns of the contract, `names`, that are made of columns of a file: of those `wanted`, read as these types."""

    names: Sequence[str] = ()
    wanted: Mapping[str, pl.DataType] = field(default_factory=dict)
    of: Callable[[pl.DataFrame, str], pl.DataFrame] = lambda batch, file: batch
    """Return these columns, given rows of the file of this name; it is called where there are `names`."""


def read(
    files: Mapping[str, Path], contract: Mapping[str, Any], params: Mapping[str, Any], derived: Derived = Derived()
) -> Iterator[Rows]:
    """Yield the rows of source files {name: path}, in their order, with the columns of the contract.

    With `sample` among the params, which is `sources.sample` of the dataset, a part of them. Raises RegistryError for
    what is no row of this table: see `registry.kinds.files` and `registry.kinds.columns`.
    """
    plain = {name: spec for name, spec in contract.items() if name not in derived.names}
    columns = Columns(plain, params.get("columns", {}))
    layout = Format(**params.get("format", {}), names=params.get("names", ()))
    split, key = params.get("split", {}), params.get("key")
    part = Subsample(**params.get("sample", {}))
    assign = splitter(split or None, inputs_of(contract, params))
    # What tells the split of a row need not be published.
    beside = [name for name in (split.get("column"), *split.get("by", ())) if name and name not in contract]
    wanted = columns.wanted() | derived.wanted
    for file, path in files.items():
        start = 0
        for batch in batches(path, layout, types_beside(path, layout, beside) | wanted):
            samples = columns.converted(batch, file, start)
            if derived.names:
                its = {column.name: column for column in (*samples, *derived.of(batch, file))}
                samples = pl.DataFrame([its[name] for name in contract])
            keys = samples.get_column(key).cast(pl.String) if key else positions(file, start, batch.height)
            splits = assign(file, samples.hstack([batch.get_column(name) for name in beside]))
            taken = pl.Series(part.takes_rows(start, batch.height))
            yield Rows(samples, keys, splits) if taken.all() else Rows(samples, keys, splits).only(taken)
            start += batch.height
            if part.ends_before(start):
                break
