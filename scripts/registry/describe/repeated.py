"""Find the ids that occur more than once, of any number of ids, with few of them in memory.

Ids are hashes: their first eight bytes, as integers, fall evenly into ranges. Each pass over all ids looks at one.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa

AT_ONCE = 1 << 20
"""Ids that a pass is about, at eight bytes each."""


def heads_of(ids: pa.FixedSizeBinaryArray) -> np.ndarray:
    """Return the first eight bytes of each id of 16, as a uint64 array (n,) over the same memory."""
    words = np.frombuffer(ids.buffers()[1] or b"", np.uint64).reshape(-1, 2)
    return words[ids.offset : ids.offset + len(ids), 0]


def repeated_heads(read: Callable[[], Iterable[pa.FixedSizeBinaryArray]], count: int) -> Iterator[np.ndarray]:
    """Yield, pass by pass, the heads that several of `count` ids have, sorted; `read` reads all ids anew.

    Ids with the same head are the same but for a chance of one in 2**64 for each pair: the caller has to look.
    """
    passes = np.uint64(-(-count // AT_ONCE))
    for number in range(passes):
        several, heads, held = np.empty(0, np.uint64), [], 0
        for ids in read():
            own = heads_of(ids)
            heads.append(own[own % passes == number])
            held += len(heads[-1])
            if held > 2 * AT_ONCE:  # Most are there many times.
                once, twice = _parted(heads)
                several, heads, held = _parted([several, twice])[0], [once], len(once)
        several, _ = _parted([several, _parted(heads)[1]])
        if len(several):
            yield several


def _parted(heads: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return each of these once, and those again that are there more than once; both are sorted."""
    ordered = np.concatenate(heads)
    ordered.sort()
    again = np.concatenate([[False], ordered[1:] == ordered[:-1]])[: len(ordered)]
    return ordered[~again], ordered[again]


def among(ids: pa.FixedSizeBinaryArray, heads: np.ndarray) -> np.ndarray:
    """Return for each id, as a bool array (n,), whether its head is one of these, which are sorted."""
    own = heads_of(ids)
    return heads[np.minimum(np.searchsorted(heads, own), len(heads) - 1)] == own
