"""Take a part of a source: which rows or files, by hashes that are the same on every machine and in every version."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import numpy as np

_STEP = 0x9E3779B97F4A7C15
_FACTORS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
"""The constants of SplitMix64 (https://doi.org/10.1145/2714064.2660195): shifts, and what is multiplied by."""


@dataclass(frozen=True)
class Subsample:
    """The part of a source to build from: the first `rows` of each file, or about a `fraction` of all, by a `seed`.

    Where a source holds files, in an archive or a folder, the files are its rows. With one seed, a larger fraction
    takes what a smaller one does, and more; what is added to a source later moves nothing of what was there.
    """

    rows: int | None = None
    fraction: float = 1.0
    seed: int = 0

    @classmethod
    def of(cls, dataset: Mapping[str, Any]) -> Self:
        """Return what the configuration of a dataset says under `sources.sample`; all of it where it says nothing."""
        return cls(**dataset.get("sources", {}).get("sample", {}))

    def takes_rows(self, start: int, count: int) -> "np.ndarray":
        """Return for each of `count` rows of a file, from row `start` (from 0) on, if it is taken: bool, (count,)."""
        import numpy as np

        rows = np.arange(start, start + count, dtype=np.uint64)
        if self.rows is not None:
            return rows < self.rows
        if self.fraction >= 1:
            return np.ones(count, dtype=bool)
        with np.errstate(over="ignore"):  # It counts modulo 2**64.
            mixed = (rows + np.uint64(self._start)) * np.uint64(_STEP)
            for shift, factor in _FACTORS:
                mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return (mixed ^ (mixed >> np.uint64(31))) < np.uint64(self._threshold)

    def takes(self, name: str) -> bool:
        """Tell whether a file is taken, by its name. `rows` says nothing about files: all are."""
        return self.fraction >= 1 or _number(f"{self.seed} {name}") < self._threshold

    def takes_each(self) -> Callable[[str], bool]:
        """Return what tells of the files in one source, in their order and by their names there, if each is taken."""
        number = count()
        return lambda name: self.takes(name) and not self.ends_before(next(number))

    @property
    def is_all(self) -> bool:
        """Whether everything is taken."""
        return self.rows is None and self.fraction >= 1

    def ends_before(self, row: int) -> bool:
        """Tell whether no row of a file is taken from this one on, so that reading may end."""
        return self.rows is not None and row >= self.rows

    @property
    def _start(self) -> int:
        return _number(str(self.seed))

    @property
    def _threshold(self) -> int:
        return int(self.fraction * 2**64)


def _number(text: str) -> int:
    """Return a number of 64 bits that a text has for ever."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
