"""Keys of rows: each names one row, in whichever split that is."""

from collections.abc import Callable, Iterable

import numpy as np
import polars as pl
import pyarrow as pa

from registry.describe.canonical import canonical, row_digests
from registry.describe.layout import ID_BYTES
from registry.describe.repeated import among, repeated_heads
from registry.errors import RegistryError
from registry.kinds.rows import Rows


def check_keys(
    keys: Callable[[], Iterable[pl.Series]],
    named: Callable[[], Iterable[Rows]],
    placed: Callable[[], Iterable[Rows]],
    dataset: str,
) -> None:
    """Raise RegistryError for two rows that have one key, or both none: it names both by their places, as `a.csv:17`.

    `keys` yields those of all rows, `named` the rows with them, and `placed` the same rows with their places instead,
    whenever they are called: the last two only where there is something to name. Few keys are in memory.
    """
    for heads in repeated_heads(lambda: map(_ids, keys()), sum(map(len, keys()))):
        first: dict[str | None, str] = {}
        for its, same in zip(named(), placed(), strict=True):
            for row in np.flatnonzero(among(_ids(its.keys), heads)).tolist():
                key, place = its.keys[row], same.keys[row]
                if key in first:
                    what = "no key" if key is None else f"the key {key[:80]!r}"
                    hint = "fix the source, or name another column in params.key, or none"
                    raise RegistryError(f"two rows have {what}: {first[key]} and {place}", where=dataset, hint=hint)
                first[key] = place


def _ids(keys: pl.Series) -> pa.FixedSizeBinaryArray:
    """Return a digest of each key."""
    digests = row_digests([canonical(keys.to_arrow())], ID_BYTES)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(ID_BYTES), len(keys), [None, pa.py_buffer(digests)])
