"""Find where the rows of two manifests begin to differ and where they end to, without having all of them in memory."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from registry.compare.manifests import ManifestFile

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 1 << 16
"""Rows that are compared at once."""


def without_ends(
    old: ManifestFile, new: ManifestFile, identity: str, before: range, after: range
) -> tuple[bool, tuple[range, range]]:
    """Return whether the rows `before` are all there, first, in their order, and both ranges without their same ends.

    Rows are the same if their ids are and, at the beginning, if their keys are, too, unless all of the old are there.
    """
    with _Column(old, identity) as old_ids, _Column(new, identity) as new_ids:
        head = _same(old_ids, new_ids, before, after)
        in_place = head == len(before)
        if not in_place and identity != "key":
            with _Column(old, "key") as old_keys, _Column(new, "key") as new_keys:
                head = _same(old_keys, new_keys, before[:head], after[:head])
        before, after = before[head:], after[head:]
        tail = _same(old_ids, new_ids, before[::-1], after[::-1])
        return in_place, (before[: len(before) - tail], after[: len(after) - tail])


def _same(old: "_Column", new: "_Column", before: range, after: range) -> int:
    """Return how many of the first rows in these ranges have the same values; a range may go backwards."""
    length = min(len(before), len(after))
    for start in range(0, length, CHUNK):
        stop = min(start + CHUNK, length)
        differ = old.differs(before[start:stop], new, after[start:stop])
        if differ is not None:
            return start + differ
    return length


class _Column:
    """A column of a manifest, of which one row group at a time is in memory."""

    def __init__(self, manifest: ManifestFile, name: str) -> None:
        import pyarrow.parquet as pq

        self._file = pq.ParquetFile(manifest.path, pre_buffer=False)
        self._name = name
        self._group: tuple[int, pa.Array] | None = None
        about = self._file.metadata
        self._ends = [0]
        for number in range(about.num_row_groups):
            self._ends.append(self._ends[-1] + about.row_group(number).num_rows)

    def __enter__(self) -> "_Column":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def differs(self, rows: range, other: "_Column", others: range) -> int | None:
        """Return the place of the first row whose value is another than that of the row at that place in the other."""
        import pyarrow.compute as pc

        different = pc.index(pc.not_equal(self._values(rows), other._values(others)), True).as_py()
        return None if different < 0 else different

    def _values(self, rows: range) -> "pa.Array":
        import pyarrow as pa

        backwards = rows.step < 0
        ordered = rows[::-1] if backwards else rows
        values = pa.concat_arrays(list(self._pieces(ordered.start, ordered.stop)))
        return values.take(pa.array(range(len(values) - 1, -1, -1))) if backwards else values

    def _pieces(self, start: int, stop: int) -> Iterator["pa.Array"]:
        for number, (first, end) in enumerate(zip(self._ends, self._ends[1:], strict=False)):
            if first < stop and start < end:
                values = self._read(number)
                yield values.slice(max(start - first, 0), min(stop, end) - max(start, first))

    def _read(self, number: int) -> "pa.Array":
        if self._group is None or self._group[0] != number:
            table = self._file.read_row_group(number, columns=[self._name], use_threads=False)
            self._group = number, table.column(0).combine_chunks()
        return self._group[1]
