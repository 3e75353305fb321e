"""Pair the rows of two manifests, a part of their ids at a time: of the others, only which pairs make is in memory."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING

from registry.compare.ends import without_ends
from registry.compare.manifests import ManifestFile

if TYPE_CHECKING:
    import polars as pl

AT_ONCE = 1 << 19
"""Rows of a side that are paired at once."""

Places = Mapping[int, range]
"""Which rows of a manifest are those of a split, by the split's number."""


def number_of_parts(*sides: Places) -> int:
    """Return how many parts there are of the rows of several manifests."""
    return max(1, *(-(-sum(map(len, places.values())) // AT_ONCE) for places in sides))


def part_of(manifest: ManifestFile, identity: str, places: Places, part: int, parts: int) -> "pl.DataFrame":
    """Return a part of some rows, with the columns split (its number), row (of the manifest) and id.

    Rows with the same id, which is the column `identity`, are in the same part.
    """
    import polars as pl

    dtype = pl.String if identity == "key" else pl.UInt128
    found = [pl.DataFrame(schema={"split": pl.UInt32, "row": pl.UInt32, "id": dtype})]
    for split, rows in places.items():
        for first, values in manifest.column(identity, rows):
            inside = _in_part(pl.Series(values), part, parts)
            ids = pl.Series("id", values.filter(inside.to_arrow()))
            some = pl.DataFrame([(inside.arg_true() + first).alias("row"), ids])
            if identity != "key":
                some = some.with_columns(pl.col("id").bin.reinterpret(dtype=dtype))
            found.append(some.select(pl.lit(split, pl.UInt32).alias("split"), "row", "id"))
    return pl.concat(found)


def _in_part(values: "pl.Series", part: int, parts: int) -> "pl.Series":
    return values.hash() % parts == part


def values_at(manifest: ManifestFile, name: str, rows: "pl.Series") -> "pl.Series":
    """Return the values that a column of a manifest has in these rows, in their order."""
    import polars as pl

    wanted = rows.unique().sort()
    found = [pl.Series(dtype=pl.String if name == "key" else pl.Binary)]
    for first, values in manifest.column(name, _spanned(wanted)):
        start, end = (wanted.search_sorted(row) for row in (first, first + len(values)))
        found.append(pl.Series(values.take((wanted[start:end] - first).to_arrow())))
    return pl.concat(found).gather(wanted.search_sorted(rows))


def pair(
    old: "pl.DataFrame", new: "pl.DataFrame", on: list[str]
) -> tuple["pl.DataFrame", "pl.DataFrame", "pl.DataFrame"]:
    """Pair rows that agree in `on`, the first with the first; return the pairs and what is left on both sides."""
    import polars as pl

    def numbered(frame: pl.DataFrame) -> pl.DataFrame:
        several = frame.select(on).is_duplicated()
        once = frame.filter(~several).with_columns(nth=pl.lit(0, pl.Int64))
        return pl.concat([once, frame.filter(several).with_columns(nth=pl.int_range(pl.len()).over(on))])

    pairs = numbered(old).join(numbered(new), on=[*on, "nth"], suffix="_new", coalesce=False)
    return pairs, *_without(old, new, pairs)


def _without(old: "pl.DataFrame", new: "pl.DataFrame", pairs: "pl.DataFrame") -> tuple["pl.DataFrame", "pl.DataFrame"]:
    return (
        old.join(pairs, on="row", how="anti", maintain_order="left"),
        new.join(pairs, left_on="row", right_on="row_new", how="anti", maintain_order="left"),
    )


class Tally:
    """Counts rows by the columns `by`, and keeps the first of each, by the column `order`."""

    def __init__(self, by: list[str], order: str, limit: int) -> None:
        self.counts: Counter[tuple[int, ...]] = Counter()
        self._by, self._order, self._limit = by, order, max(limit, 1)
        self._first: list[pl.DataFrame] = []

    def add(self, rows: "pl.DataFrame") -> None:
        """Count more rows."""
        import polars as pl

        self.counts.update({tuple(by): count for *by, count in rows.group_by(self._by).len().iter_rows()})
        together = pl.concat([*self._first, rows]).sort(self._order)
        self._first = [together.group_by(self._by, maintain_order=True).head(self._limit).select(rows.columns)]

    def first(self, split: int) -> "pl.DataFrame":
        """Return the first rows, in order, of those that have this number in the first of the columns `by`."""
        import polars as pl

        return self._first[0].filter(pl.col(self._by[0]) == split).sort(self._order)


class Pairing:
    """The rows of two manifests, paired: see registry.compare.rows. Most are where they were, and set aside first.

    `in_place` tells of each split, by its number, whether its old rows are all there, first, in their order. The
    tallies name rows by their number in the manifest.
    """

    def __init__(
        self,
        old: ManifestFile,
        new: ManifestFile,
        identity: str,
        ranges: Mapping[int, tuple[range, range]],
        examples: int,
    ) -> None:
        self._manifests, self._identity = (old, new), identity
        self.in_place: dict[int, bool] = {}
        self._places: tuple[dict[int, range], dict[int, range]] = {}, {}
        for split, places in ranges.items():
            self.in_place[split], rest = without_ends(old, new, identity, *places)
            for side, rows in zip(self._places, rest, strict=True):
                side[split] = rows
        self.moved_in = Tally(["split_new", "split"], "row_new", examples)
        self.moved_out = Tally(["split", "split_new"], "row", examples)
        self.changed, self.removed, self.added = (Tally(["split"], "row", examples) for _ in range(3))
        self._stayed: list[pl.DataFrame] = []
        self._uncertain: set[int] = set()
        self._unpaired: tuple[set[int], set[int]] = set(), set()
        parts = number_of_parts(*self._places)
        left = [self._pair_part(part, parts) for part in range(parts)]
        self._pair_changed(*zip(*left, strict=True))

    def _with_keys(self, *sides: "pl.DataFrame") -> Iterator["pl.DataFrame"]:
        for manifest, rows in zip(self._manifests, sides, strict=True):
            yield rows.with_columns(values_at(manifest, "key", rows["row"]).alias("key"))

    def _pair_part(self, part: int, parts: int) -> tuple["pl.DataFrame", "pl.DataFrame"]:
        """Pair a part of the rows by their ids; return what is left of both sides: split and row."""
        import polars as pl

        old, new = (
            part_of(manifest, self._identity, places, part, parts)
            for manifest, places in zip(self._manifests, self._places, strict=True)
        )
        copies, old, new = self._pair_copies(old, new)
        pairs, old, new = pair(old, new, on=["split", "id"])
        unchanged = pl.concat([those.select("split", "id", "row", "row_new") for those in (copies, pairs)])
        unpaired = pl.concat([old, new])
        for splits, side in zip(self._unpaired, (old, new), strict=True):
            splits.update(side["split"].unique())
        # Of a sample of which some copies stayed and others did not, nobody can tell which stayed.
        self._uncertain.update(unchanged.join(unpaired, on=["split", "id"], how="semi")["split"].unique())
        certain = unchanged.join(unpaired, on=["split", "id"], how="anti")
        self._stayed.append(certain.select("split", "row", "row_new"))
        loose = self._with_keys(
            *(one.join(other, on="id", how="semi", maintain_order="left") for one, other in ((old, new), (new, old)))
        )
        by_key, *loose = pair(*loose, on=["id", "key"])
        by_sample, *_ = pair(*loose, on=["id"])
        moved = pl.concat([by_key, by_sample])
        for tally in (self.moved_in, self.moved_out):
            tally.add(moved)
        return tuple(side.select("split", "row") for side in _without(old, new, moved))

    def _pair_copies(
        self, old: "pl.DataFrame", new: "pl.DataFrame"
    ) -> tuple["pl.DataFrame", "pl.DataFrame", "pl.DataFrame"]:
        """Pair, of samples that are there several times, those with the same key."""
        import polars as pl

        by = ["split", "id"]
        several = pl.concat(rows.filter(rows.select(by).is_duplicated()).select(by) for rows in (old, new))
        copies = self._with_keys(*(rows.join(several, on=by, how="semi", maintain_order="left") for rows in (old, new)))
        pairs, *_ = pair(*copies, on=["split", "id", "key"])
        return pairs, *_without(old, new, pairs)

    def _pair_changed(self, *left: tuple["pl.DataFrame", ...]) -> None:
        """Pair by their keys the rows that are left of both sides; a part of the keys at a time."""
        import polars as pl

        sides = [pl.concat(those).sort("row") for those in left]
        parts = max(1, *(-(-side.height // AT_ONCE) for side in sides))
        for part in range(parts):
            old, new = (
                _with_keys_in_part(manifest, side, part, parts)
                for manifest, side in zip(self._manifests, sides, strict=True)
            )
            changed, removed, added = pair(old, new, on=["split", "key"])
            self._stayed.append(changed.select("split", "row", "row_new"))
            for tally, rows in ((self.changed, changed), (self.removed, removed), (self.added, added)):
                tally.add(rows)

    def reordered(self, split: int) -> bool:
        """Tell whether the rows that stayed in a split follow each other in another order.

        Where rows were only added, or only removed, and it cannot be told of all which stayed, the one side must follow
        from the other by leaving rows out; else those of which it cannot be told do not count.
        """
        import polars as pl

        if split in self._uncertain and not all(split in splits for splits in self._unpaired):
            sides = sorted(
                ((manifest, places[split]) for manifest, places in zip(self._manifests, self._places, strict=True)),
                key=lambda side: len(side[1]),
            )
            return not _is_subsequence(*(self._ids(*side) for side in sides))
        stayed = pl.concat(those.filter(pl.col("split") == split).select("row", "row_new") for those in self._stayed)
        before, after = stayed["row"].sort(), stayed.sort("row_new")["row"]
        elsewhere = before != after
        before, after = before.filter(elsewhere), after.filter(elsewhere)
        # Copies of a sample may change places.
        return any(
            not values_at(self._manifests[0], self._identity, before[start : start + AT_ONCE]).equals(
                values_at(self._manifests[0], self._identity, after[start : start + AT_ONCE])
            )
            for start in range(0, len(before), AT_ONCE)
        )

    def _ids(self, manifest: ManifestFile, rows: range) -> Iterator[bytes | str]:
        return chain.from_iterable(values.to_pylist() for _, values in manifest.column(self._identity, rows))


def _with_keys_in_part(manifest: ManifestFile, rows: "pl.DataFrame", part: int, parts: int) -> "pl.DataFrame":
    """Return those of the rows, which are sorted, whose keys are in a part, with their keys."""
    import polars as pl

    found = [rows.head(0).with_columns(key=pl.lit(""))]
    for first, values in manifest.column("key", _spanned(rows["row"])):
        some = rows[slice(*(rows["row"].search_sorted(row) for row in (first, first + len(values))))]
        keys = values.take((some["row"] - first).to_arrow())
        inside = _in_part(pl.Series(keys), part, parts)
        found.append(some.filter(inside).with_columns(pl.Series("key", keys.filter(inside.to_arrow()))))
    return pl.concat(found)


def _spanned(rows: "pl.Series") -> range:
    """Return the range from the first to the last of some rows, which are sorted."""
    return range(rows[0], rows[-1] + 1) if len(rows) else range(0)


def _is_subsequence(short: Iterator[bytes | str], long: Iterator[bytes | str]) -> bool:
    return all(value in long for value in short)
