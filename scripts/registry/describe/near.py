"""What finds near-duplicates, of whichever sort the samples are, has in common."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

Wanted = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Tells of pairs (i, j) of rows, as a bool array, which would add to what is known: the others need no look."""
Pairs = Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Arrays (i, j, distance) of pairs of rows that are near-duplicates; a pair may come more than once."""
CROWD = 1000
"""Of more rows that have a key in common, each is held against so many others."""


class Finder(Protocol):
    """Finds near-duplicates among samples that were added batch by batch: it takes no part which batches those were."""

    def pairs(self, rows: np.ndarray, own: int, wanted: Wanted, *, across: bool = False) -> Pairs:
        """Yield pairs of near-duplicates among some rows; one of each pair is among the first `own` of these.

        The other one may be, too, unless it is `across` that they are looked for.
        """


def with_equal_keys(rows: np.ndarray, keys: np.ndarray, own: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pairs of rows whose keys, uint64 (n,), are equal.

    With `own`, one of each pair is below that, and the other one is not.
    """
    order = np.lexsort((mixed(rows.astype(np.uint64)), rows >= own, keys))
    rows, keys = rows[order], keys[order]
    if own:
        yield from _across(rows, keys, own)
        return
    left = np.arange(len(rows))
    for step in range(1, CROWD + 1):
        left = left[left < len(rows) - step]
        left = left[keys[left] == keys[left + step]]
        if not len(left):
            return
        yield rows[left], rows[left + step]


def _across(rows: np.ndarray, keys: np.ndarray, own: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pairs of rows in the order of their keys, of which those below `own` come first among equal ones."""
    _, starts, group = np.unique(keys, return_index=True, return_inverse=True)
    numbers = np.bincount(group, rows < own, len(starts)).astype(np.int64)
    others = np.flatnonzero((rows >= own) & (numbers[group] > 0))
    for step in range(CROWD):
        others = others[numbers[group[others]] > step]
        if not len(others):
            return
        its = group[others]
        yield rows[starts[its] + (others + step) % numbers[its]], rows[others]


def mixed(values: np.ndarray) -> np.ndarray:
    """Return uint64 values as others, each of whose bits depends on all of theirs (SplitMix64)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
