"""Find where the rows of two manifests begin to differ and where they end to, without having all of them in memory."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from registry.compare.manifests import ManifestFile

if TYPE_CHECKING:
    import pyarrow as pa


def without_ends(
    old: ManifestFile, new: ManifestFile, identity: str, before: range, after: range
) -> tuple[bool, tuple[range, range]]:
    """Return whether the rows `before` are all there, first, in their order, and both ranges without their same ends.

    Rows are the same if their ids are and, at the beginning, if their keys are, too, unless all of the old are there.
    """
    head = _same_first(_differences(old, new, identity, before, after), min(len(before), len(after)))
    in_place = head == len(before)
    if not in_place and identity != "key":
        head = _same_first(_differences(old, new, "key", before[:head], after[:head]), head)
    before, after = before[head:], after[head:]
    length = min(len(before), len(after))
    ends = before[len(before) - length :], after[len(after) - length :]
    tail = _same_last(_differences(old, new, identity, *ends), length)
    return in_place, (before[: len(before) - tail], after[: len(after) - tail])


Differences = Iterator[tuple[int, "pa.BooleanArray"]]
"""Whether values differ, in order, of some rows at a time, and the place of the first of them."""


def _same_first(differences: Differences, length: int) -> int:
    """Return how many of so many rows are the same before the first that differs."""
    import pyarrow.compute as pc

    places = ((start, pc.index(differ, True).as_py()) for start, differ in differences)
    return next((start + place for start, place in places if place >= 0), length)


def _same_last(differences: Differences, length: int) -> int:
    """Return how many of so many rows are the same after the last that differs."""
    import pyarrow.compute as pc

    same = length
    for start, differ in differences:
        if len(places := pc.indices_nonzero(differ)):
            same = length - start - places[-1].as_py() - 1
    return same


def _differences(old: ManifestFile, new: ManifestFile, name: str, before: range, after: range) -> Differences:
    """Yield which values of a column differ between the first rows of two ranges, as many as both have."""
    import pyarrow.compute as pc

    place, length = 0, min(len(before), len(after))
    befores, afters = old.column(name, before[:length]), new.column(name, after[:length])
    one, other = [], []
    while place < length:
        one = one if len(one) else next(befores)[1]
        other = other if len(other) else next(afters)[1]
        shared = min(len(one), len(other))
        yield place, pc.not_equal(one[:shared], other[:shared])
        one, other, place = one[shared:], other[shared:], place + shared
