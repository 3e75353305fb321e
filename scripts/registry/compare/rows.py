"""Compare two manifests column by column and row by row.

Rows are samples, and a sample may be there more than once: they are compared as multisets. Of two manifests with the
same columns, rows are paired in this order, each row once:
    unchanged  the same sample in the same split, wherever it stands there
    moved      the same sample in another split
    changed    another sample under the same key in the same split
and what is left was removed (old) or added (new).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from registry.compare.manifests import ManifestFile, rows_of_splits
from registry.compare.pairing import Pairing, Tally, number_of_parts, part_of

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
        sides = [rows_of_splits(those) for those in sizes]
        ranges = {name: tuple(places.get(name, range(0)) for places in sides) for name in differing}
        identity = _identity(old, new, ranges)
        pairing = Pairing(old, new, identity, dict(enumerate(ranges.values())), examples)
        for number, (name, places) in enumerate(ranges.items()):
            splits[name] = _split(pairing, differing, number, places, examples, digested=bool(shared))
        splits |= {name: replace(splits[name], columns=those) for name, those in columns.items()}
    return Rows(identity, {name: splits[name] for name in names})


def _identity(old: ManifestFile, new: ManifestFile, ranges: Mapping[str, tuple[range, range]]) -> str:
    if list(old.schema.items()) == list(new.schema.items()):
        return "sample_id"
    sides = [dict(enumerate(those)) for those in zip(*ranges.values(), strict=True)]
    parts, known = number_of_parts(*sides), 0
    for part in range(parts):
        before, after = (
            part_of(manifest, "input_id", places, part, parts)
            for manifest, places in zip((old, new), sides, strict=True)
        )
        known += before.join(after, on="id", how="semi").height
    return "input_id" if 2 * known >= min(sum(map(len, places.values())) for places in sides) else "key"


def _split(
    pairing: Pairing, names: Sequence[str], split: int, places: tuple[range, range], examples: int, *, digested: bool
) -> SplitRows:
    """Return how the split of this number differs; `names` are those of all that `pairing` has, by their numbers.

    `digested`: its digests have been compared, so it is not identical.
    """
    before, after = places

    def from_or_to(tally: Tally, other: str) -> dict[str, int]:
        others = tally.first(split)[other].unique(maintain_order=True)
        return {names[number]: tally.counts[split, number] for number in others}

    keys = {
        "added": pairing.added.first(split)["key"],
        "removed": pairing.removed.first(split)["key"],
        "changed": pairing.changed.first(split)["key"],
        "moved_in": pairing.moved_in.first(split)["key_new"],
        "moved_out": pairing.moved_out.first(split)["key"],
    }
    in_place = pairing.in_place[split]
    return SplitRows(
        len(before),
        len(after),
        pairing.added.counts[split,],
        pairing.removed.counts[split,],
        pairing.changed.counts[split,],
        from_or_to(pairing.moved_in, "split"),
        from_or_to(pairing.moved_out, "split_new"),
        in_place,
        not digested and in_place and len(before) == len(after),
        pairing.reordered(split),
        {kind: tuple(some.head(examples)) for kind, some in keys.items() if len(some)},
        tuple(
            Change(key, row - before.start, row_new - after.start)
            for key, row, row_new in pairing.changed.first(split)
            .select("key", "row", "row_new")
            .head(examples)
            .iter_rows()
        ),
    )
