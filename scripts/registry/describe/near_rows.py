"""Find rows of tables that are near-duplicates: the same but for noise in numbers, and case and blanks in texts.

Rows are near-duplicates if all their floats are the same in so many significant digits, on one of three grids of which
each is shifted by a third of a digit's unit: so numbers that lie close to each other on both sides of a rounding's
edge are found, too. Everything else has to be equal. A row takes 24 bytes.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from registry.describe.canonical import canonical, row_digests
from registry.describe.near import Pairs, Wanted, with_equal_keys

GRIDS = 3
BYTES = 8
"""Of a row's digest."""


class Rows:
    """Finds near-duplicates among rows of tables, which are added batch by batch."""

    def __init__(self, digits: int) -> None:
        self._digits = digits
        self._keys: list[np.ndarray] = [np.empty((0, GRIDS), np.uint64)]

    def add(self, rows: pa.RecordBatch) -> None:
        """Add more rows."""
        grids = []
        for grid in range(GRIDS):
            columns = [part for column in rows.columns for part in self._rounded(column, grid / GRIDS)]
            digests = row_digests([canonical(column) for column in columns], BYTES)
            grids.append(np.frombuffer(digests, np.uint64))
        self._keys.append(np.stack(grids, axis=1))

    def _rounded(self, column: pa.Array, shift: float) -> list[pa.Array]:
        """Return a column without what does not count of it, as one column or two."""
        if pat.is_string(column.type) or pat.is_large_string(column.type):
            words = pc.replace_substring_regex(pc.utf8_lower(column), r"\s+", " ")
            return [pc.utf8_trim_whitespace(words)]
        if not pat.is_floating(column.type):
            return [column]
        values = column.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
        plain = np.isfinite(values) & (values != 0)
        powers = np.floor(np.log10(np.abs(values, where=plain, out=np.ones(len(values))))) - self._digits + 1
        with np.errstate(over="ignore", invalid="ignore"):
            units = np.floor(values / 10.0**powers + 0.5 + shift)
        full = np.abs(units) == 10.0**self._digits
        powers, units = np.where(full, powers + 1, powers), np.where(full, units / 10, units)
        there = column.is_valid()
        return [
            pc.if_else(there, pa.array(np.where(plain, units, values)), None),
            pa.array(np.where(plain, powers, 0)),
        ]

    def pairs(self, rows: np.ndarray, own: int, wanted: Wanted, *, across: bool = False) -> Pairs:
        """Yield pairs of near-duplicates among these rows; one of each pair is among the first `own` of them."""
        keys = np.concatenate(self._keys)[rows]
        for grid in range(GRIDS):
            for i, j in with_equal_keys(np.arange(len(rows)), keys[:, grid], own if across else 0):
                left = (np.minimum(i, j) < own) & wanted(rows[i], rows[j])
                yield rows[i[left]], rows[j[left]], np.zeros(np.count_nonzero(left))
