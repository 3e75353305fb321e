"""Compare two manifests column by column and row by row.

Rows are samples, and a sample may be there more than once: they are compared as multisets. Of two manifests with the
same columns, rows are paired in this order, each row once:
    unchanged  the same sample in the same split, wherever it stands there
    moved      the same sample in another split
    changed    another sample under the same key in the same split
and what is left was removed (old) or added (new).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from registry.compare.ends import without_ends
from registry.compare.manifests import ManifestFile, rows_of_split

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = 3
"""Rows named of each kind of change in a split, unless told otherwise."""


@dataclass(frozen=True)
class Columns:
    """How columns differ: {name: dtype} of those added and removed, {old: new name}, {name: (old, new dtype)}.

    `reordered` tells whether those that stayed follow each other in another order.
    """

    added: dict[str, str] = field(default_factory=dict)
    removed: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    retyped: dict[str, tuple[str, str]] = field(default_factory=dict)
    reordered: bool = False

    def __bool__(self) -> bool:
        return self != Columns()


def compare_columns(old: ManifestFile, new: ManifestFile) -> Columns:
    """Return how the columns of two manifests differ.

    A column that is gone counts as renamed when a new one of its dtype has its values in all splits that both have.
    """
    splits = old.digests.keys() & new.digests.keys()
    added = {name: dtype for name, dtype in new.schema.items() if name not in old.schema}
    removed = {name: dtype for name, dtype in old.schema.items() if name not in new.schema}
    renamed = {}
    for name, dtype in list(removed.items()):
        for candidate in [candidate for candidate in added if splits and added[candidate] == dtype]:
            if all(old.digests[split][name] == new.digests[split][candidate] for split in splits):
                renamed[name] = candidate
                del removed[name], added[candidate]
                break
    stayed = [renamed.get(name, name) for name in old.schema if name not in removed]
    retyped = {
        name: (dtype, new.schema[name])
        for name, dtype in old.schema.items()
        if name in new.schema and new.schema[name] != dtype
    }
    return Columns(added, removed, renamed, retyped, stayed != [name for name in new.schema if name not in added])


@dataclass(frozen=True)
class Change:
    """A changed row: its key, and where it stands in its split, before and after."""

    key: str
    old: int
    new: int


@dataclass(frozen=True)
class SplitRows:
    """How the rows of a split differ: before - removed - all moved out + added + all moved in = after.

    `changed` counts rows whose key is the same and whose sample is another; `moved_in` and `moved_out` count, by the
    other split, those that changed splits. `in_place`: the old rows are all there, first, in their order. `identical`:
    so are they in every column that both sides have, and there are no others. `reordered`: rows that stayed follow each
    other in another order. `examples` holds the first keys of each kind: added, removed, changed, moved_in, moved_out;
    `changes` says where the changed ones among these stand. `columns` are those of both sides in which values, or their
    order, differ.
    """

    before: int
    after: int
    added: int = 0
    removed: int = 0
    changed: int = 0
    moved_in: dict[str, int] = field(default_factory=dict)
    moved_out: dict[str, int] = field(default_factory=dict)
    in_place: bool = True
    identical: bool = True
    reordered: bool = False
    examples: dict[str, tuple[str, ...]] = field(default_factory=dict)
    changes: tuple[Change, ...] = field(default=(), compare=False)
    columns: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Rows:
    """How rows differ, by split, and what stood for a sample: None where the digests of the columns said enough."""

    identity: str | None
    splits: dict[str, SplitRows]


def compare_rows(old: ManifestFile, new: ManifestFile, *, examples: int = EXAMPLES) -> Rows:
    """Return how the rows of two manifests differ, the splits in the order of the old, then the new.

    Splits whose digests are the same in all columns that both have are not read. A sample_id is about all columns;
    where those differ, input_id stands for a sample if it is known on both sides for at least half of the rows, else
    the key. At most `examples` keys are named of each kind of change.
    """
    sizes = old.split_sizes(), new.split_sizes()
    names = list(dict.fromkeys([*old.digests, *new.digests]))
    shared = [name for name, dtype in old.schema.items() if new.schema.get(name) == dtype]
    common = [name for name in old.digests if name in new.digests and shared]
    columns = {name: tuple(c for c in shared if old.digests[name][c] != new.digests[name][c]) for name in common}
    same = {name for name in common if not columns[name]}
    splits = {name: SplitRows(sizes[0][name], sizes[1][name]) for name in names if name in same}
    identity = None
    differing = [name for name in names if name not in same]
    if differing:
        ranges = {split: (rows_of_split(sizes[0], split), rows_of_split(sizes[1], split)) for split in differing}
        identity = _identity(old, new, ranges)
        pairing = _Pairing(old, new, identity, ranges)
        splits |= {name: pairing.split(name, examples, digested=bool(shared)) for name in differing}
        splits |= {name: replace(splits[name], columns=those) for name, those in columns.items()}
    return Rows(identity, {name: splits[name] for name in names})


def _identity(old: ManifestFile, new: ManifestFile, ranges: Mapping[str, tuple[range, range]]) -> str:
    import polars as pl

    if list(old.schema.items()) == list(new.schema.items()):
        return "sample_id"
    before, after = (
        pl.concat(manifest.rows("input_id", rows.start, rows.stop) for rows in those)
        for manifest, those in zip((old, new), zip(*ranges.values(), strict=True), strict=True)
    )
    known = before.join(after, on="id", how="semi").height
    return "input_id" if 2 * known >= min(before.height, after.height) else "key"


def _pair(
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


def _is_subsequence(short: "pl.Series", long: "pl.Series") -> bool:
    remaining = iter(long.to_list())
    return all(value in remaining for value in short.to_list())


class _Pairing:
    """The rows of two manifests, paired. Most rows are where they were: these are set aside first."""

    def __init__(
        self, old: ManifestFile, new: ManifestFile, identity: str, ranges: Mapping[str, tuple[range, range]]
    ) -> None:
        import polars as pl

        self.sizes, self.first, self.in_place, self.middles, self.unchanged, self.unpaired = {}, {}, {}, {}, {}, {}
        for split, places in ranges.items():
            self.sizes[split] = len(places[0]), len(places[1])
            self.first[split] = places[0].start, places[1].start
            self.in_place[split], rest = without_ends(old, new, identity, *places)
            before, after = (
                manifest.rows(identity, rows.start, rows.stop) for manifest, rows in zip((old, new), rest, strict=True)
            )
            self.middles[split] = before, after
            copies, before, after = self._pair_copies(before, after)
            pairs, before, after = _pair(before, after, on=["id"])
            self.unchanged[split] = pl.concat([copies, pairs])
            self.unpaired[split] = before, after
        old, new = (pl.concat(rows) for rows in zip(*self.unpaired.values(), strict=True))
        by_key, old, new = _pair(old, new, on=["id", "key"])
        by_sample, old, new = _pair(old, new, on=["id"])
        self.moved = pl.concat([by_key, by_sample])
        self.changed, self.removed, self.added = _pair(old, new, on=["split", "key"])

    @staticmethod
    def _pair_copies(old: "pl.DataFrame", new: "pl.DataFrame") -> tuple["pl.DataFrame", "pl.DataFrame", "pl.DataFrame"]:
        """Pair, of samples that are there several times, those with the same key."""
        import polars as pl

        several = pl.concat(rows.filter(rows["id"].is_duplicated()).select("id") for rows in (old, new))
        copies = [rows.join(several, on="id", how="semi", maintain_order="left") for rows in (old, new)]
        pairs, *_ = _pair(*copies, on=["id", "key"])
        return pairs, *_without(old, new, pairs)

    def _reordered(self, split: str) -> bool:
        """Tell whether the rows that stayed in a split follow each other in another order.

        Of a sample of which some copies stayed and others did not, nobody can tell which stayed. Where rows were only
        added, or only removed, the one side must follow from the other by leaving rows out; else these do not count.
        """
        import polars as pl

        before, after = self.unpaired[split]
        unchanged = self.unchanged[split]
        certain = unchanged.join(pl.concat([before, after]), on="id", how="anti")
        if certain.height < unchanged.height and not (before.height and after.height):
            ids = [rows["id"] for rows in self.middles[split]]
            return not _is_subsequence(*sorted(ids, key=len))
        stayed = pl.concat([certain, self.changed.filter(pl.col("split") == split)])
        return not stayed.sort("row")["id"].equals(stayed.sort("row_new")["id"])

    def split(self, split: str, examples: int, *, digested: bool) -> SplitRows:
        """Return how a split differs. `digested`: its digests have been compared, so it is not identical."""
        import polars as pl

        def of(rows: pl.DataFrame, column: str = "split") -> pl.DataFrame:
            return rows.filter(pl.col(column) == split)

        def counts(rows: pl.DataFrame, column: str) -> dict[str, int]:
            return dict(rows.group_by(column, maintain_order=True).len().iter_rows())

        moved_in, moved_out = of(self.moved, "split_new").sort("row_new"), of(self.moved).sort("row")
        changed, (first, first_new) = of(self.changed).sort("row"), self.first[split]
        keys = {
            "added": of(self.added)["key"],
            "removed": of(self.removed)["key"],
            "changed": changed["key"],
            "moved_in": moved_in["key_new"],
            "moved_out": moved_out["key"],
        }
        before, after = self.sizes[split]
        in_place = self.in_place[split]
        return SplitRows(
            before,
            after,
            len(keys["added"]),
            len(keys["removed"]),
            len(keys["changed"]),
            counts(moved_in, "split"),
            counts(moved_out, "split_new"),
            in_place,
            not digested and in_place and before == after,
            self._reordered(split),
            {kind: tuple(some.head(examples)) for kind, some in keys.items() if len(some)},
            tuple(
                Change(key, row - first, row_new - first_new)
                for key, row, row_new in changed.select("key", "row", "row_new").head(examples).iter_rows()
            ),
        )
