"""Find what differs between two states of a dataset, from metadata and, where content differs, the manifests."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from registry.compare.manifests import manifest_of
from registry.compare.rows import EXAMPLES, Columns, Rows, SplitRows, compare_columns, compare_rows
from registry.describe.metadata import Leaf, declared_facts, is_number, leaves
from registry.storage.snapshot import Snapshot

DECLARED = ("dataset", "schema")
"""Sections of metadata.json that say what a dataset is; what else stands there was found out about its data."""


@dataclass(frozen=True)
class Classes:
    """How the classes of a column differ.

    `reordered`: those that stayed follow each other in another order. `in_place`: the old are all there, first, in
    their order, so that each keeps its number.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    reordered: bool
    in_place: bool


@dataclass(frozen=True)
class Statistic:
    """A number that moved; `old` or `new` is None where it is not there, `change` where one of them is not."""

    path: str
    old: float | None
    new: float | None
    change: float | None


@dataclass(frozen=True)
class Fact:
    """An entry of metadata.json that differs; `old` or `new` is None where it is not there."""

    path: str
    old: Any
    new: Any


@dataclass(frozen=True)
class DatasetDiff:
    """What differs between two states of a dataset. Paths into metadata.json are joined by dots.

    `rows_by` names what stood for a sample when rows were compared, None where none had to be; in `splits` are those of
    the old state, then those added.
    """

    dataset: str
    content_differs: bool
    bytes_differ: bool
    columns: Columns
    classes: dict[str, Classes]
    splits_added: tuple[str, ...]
    splits_removed: tuple[str, ...]
    splits_reordered: bool
    rows_by: str | None
    splits: dict[str, SplitRows]
    statistics: tuple[Statistic, ...] = field(default=())
    metadata: tuple[Fact, ...] = field(default=())


def diff(old: Snapshot, new: Snapshot, *, examples: int = EXAMPLES) -> DatasetDiff:
    """Return what differs, naming at most `examples` keys of each kind of change in each split.

    Opens the manifests only when `content_hash` differs. RegistryError if one is not that of its metadata.
    """
    content_differs = old.content_hash != new.content_hash
    if content_differs:
        manifests = manifest_of(old), manifest_of(new)
        before, after = (list(manifest.digests) for manifest in manifests)
        columns, rows = compare_columns(*manifests), compare_rows(*manifests, examples=examples)
    else:
        before = after = list(old.sizes)
        columns, rows = Columns(), Rows(None, {split: SplitRows(size, size) for split, size in old.sizes.items()})
    # What a model computed differs in its last bits from machine to machine.
    computed = any(feature.get("computed") for feature in new.metadata["schema"]["features"].values())
    statistics, others = _statistics(_found(old.metadata), _found(new.metadata))
    return DatasetDiff(
        dataset=new.dataset,
        content_differs=content_differs,
        bytes_differ=old.data_md5 != new.data_md5 and not computed,
        columns=columns,
        classes=_classes(old.metadata, new.metadata),
        splits_added=tuple(split for split in after if split not in before),
        splits_removed=tuple(split for split in before if split not in after),
        splits_reordered=[s for s in before if s in after] != [s for s in after if s in before],
        rows_by=rows.identity,
        splits=rows.splits,
        statistics=statistics,
        metadata=_facts(old.metadata, new.metadata) + others,
    )


def told(metadata: dict[str, Any]) -> dict[Leaf, Any]:
    """Return of what a diff tells in a metadata.json; its content, dtypes and classes have places of their own."""
    facts = leaves({name: value for name, value in declared_facts(metadata).items() if name != "content_hash"})
    return {path: value for path, value in facts.items() if path[0] != "schema" or path[3] not in ("dtype", "classes")}


def _found(metadata: dict[str, Any]) -> dict[Leaf, Any]:
    return {path: value for path, value in told(metadata).items() if path[0] not in DECLARED}


def _differing(old: dict[Leaf, Any], new: dict[Leaf, Any]) -> Iterator[tuple[Leaf, Any, Any]]:
    for path in dict.fromkeys([*old, *new]):
        if path not in old or path not in new or old[path] != new[path]:
            yield path, old.get(path), new.get(path)


def _statistics(old: dict[Leaf, Any], new: dict[Leaf, Any]) -> tuple[tuple[Statistic, ...], tuple[Fact, ...]]:
    """Return the numbers that moved, and what else differs there."""
    numbers, others = [], []
    for path, before, after in _differing(old, new):
        name = ".".join(path)
        if all(value is None or is_number(value) for value in (before, after)):
            change = None if before is None or after is None else after - before
            numbers.append(Statistic(name, before, after, change))
        else:
            others.append(Fact(name, before, after))
    return tuple(numbers), tuple(others)


def _facts(old: dict[str, Any], new: dict[str, Any]) -> tuple[Fact, ...]:
    """Return what differs of what is declared of a dataset, and of the columns that both states have."""
    common = old["schema"]["features"].keys() & new["schema"]["features"].keys()

    def facts(metadata: dict[str, Any]) -> dict[Leaf, Any]:
        return {
            path: value
            for path, value in told(metadata).items()
            if path[0] in DECLARED and (path[0] != "schema" or path[2] in common)
        }

    return tuple(Fact(".".join(path), *values) for path, *values in _differing(facts(old), facts(new)))


def _classes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Classes]:
    features = old["schema"]["features"], new["schema"]["features"]
    differing = {}
    for name in features[0]:
        before, after = ([str(label) for label in of.get(name, {}).get("classes", [])] for of in features)
        if name in features[1] and before != after:
            old_ones, new_ones = set(before), set(after)
            differing[name] = Classes(
                added=tuple(item for item in after if item not in old_ones),
                removed=tuple(item for item in before if item not in new_ones),
                reordered=[i for i in before if i in new_ones] != [i for i in after if i in old_ones],
                in_place=after[: len(before)] == before,
            )
    return differing
