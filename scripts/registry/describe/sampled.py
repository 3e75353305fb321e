"""Keep what was measured of rows: of all of them while they are few, else of those with the lowest ids.

Ids are hashes of rows, so that those with the lowest are a random sample, and the same one whatever the order of the
rows, and most of it the same in the next version: a bottom-k sample (Cohen and Kaplan, Summarizing data using bottom-k
sketches, PODC 2007).
"""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

SLACK = 4
"""A quarter more than the limit is kept before the rest is let go."""


class Kept:
    """Arrays of values, which may be masked, one value of each for a row, of at most `limit` rows."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._heads: list[np.ndarray] = []
        self._arrays: dict[Hashable, list[np.ndarray]] = {}
        self._held = 0
        self._bound: np.uint64 | None = None

    def wanted(self, heads: np.ndarray) -> np.ndarray | None:
        """Return which of more rows, whose ids begin with these uint64, may be kept, bool (n,); None for all."""
        return None if self._bound is None else heads < self._bound

    def add(self, heads: np.ndarray, arrays: Mapping[Hashable, np.ndarray]) -> None:
        """Keep the values of rows that are wanted. They are copied, since they may be parts of much larger arrays."""
        self._heads.append(heads.copy())
        for name, values in arrays.items():
            self._arrays.setdefault(name, []).append(values.copy())
        self._held += len(heads)
        if self._held > self.limit + self.limit // SLACK:
            self._let_go()

    def _let_go(self) -> None:
        if self._held <= self.limit:
            return
        heads = np.concatenate(self._heads)
        lowest = np.argpartition(heads, self.limit - 1)[: self.limit]
        self._heads = [heads[lowest]]
        self._bound, self._held = self._heads[0].max(), self.limit
        for name in self._arrays:
            self._arrays[name] = [_joined(self._arrays[name])[lowest]]

    def take(self, name: Hashable) -> np.ndarray:
        """Return the values of one name, in no order, and let go of them."""
        self._let_go()
        return _joined(self._arrays.pop(name))

    def names(self) -> list[Any]:
        """Return what there are values of, in the order in which they came."""
        return [*self._arrays]

    def __len__(self) -> int:
        return min(self._held, self.limit)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    masked = any(isinstance(part, np.ma.MaskedArray) for part in parts)
    return np.ma.concatenate(parts) if masked else np.concatenate(parts)
