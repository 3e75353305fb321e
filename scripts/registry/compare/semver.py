"""Decide which number a version gets, from what differs: semver by what it means to those who read the data."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from semver import Version

from registry.compare.diff import DatasetDiff, diff
from registry.compare.rows import Columns, SplitRows
from registry.errors import RegistryError
from registry.storage.snapshot import Snapshot

FIRST = Version(1, 0, 0)
VERSIONING = ("fixed", "positional", "folder", "append-only", "living")
ANY_ORDER = ("folder", "append-only")
"""Those to which the order of the rows means nothing."""
NAMED = 3
"""Keys or paths that a reason names."""


class Level(IntEnum):
    """The part of a version number that a change raises."""

    PATCH = 1
    MINOR = 2
    MAJOR = 3


@dataclass(frozen=True)
class Change:
    """Something that makes a version: how much it raises the number, and what it is, for people."""

    level: Level
    reason: str


def compare(old: Snapshot, new: Snapshot, versioning: str = "fixed") -> list[Change]:
    """Return what makes `new` another version than `old`, the highest level first; empty if nothing does.

    Opens the manifests only when `content_hash` differs. `versioning` says what the order of rows and columns means:
    fixed       the old rows must stay in place: split by split, they are the first of the new
    positional  as fixed, and columns are read by position: a new one is MAJOR
    folder      samples are files: the old rows must all be there, in any order
    append-only as folder, and new rows may come together with new columns: then the input ids tell which rows stayed
    living      rows come, go and change: that is MINOR; any change of columns is MAJOR
    """
    return judge(diff(old, new, examples=NAMED), versioning)


def judge(found: DatasetDiff, versioning: str = "fixed") -> list[Change]:
    """Return what of a diff makes a version, as `compare` does."""
    if versioning not in VERSIONING:
        raise RegistryError(
            f"versioning: there is no {versioning!r}",
            where=f"config/datasets/{found.dataset}.yaml",
            hint=f"choose from: {', '.join(VERSIONING)}",
        )
    changes = [
        *_columns(found, versioning),
        *_classes(found),
        *_splits(found),
        *_rows(found, versioning),
        *_bytes_and_metadata(found),
    ]
    return sorted(changes, key=lambda change: -change.level)


def next_version(latest: Version | None, level: Level, bump: Level | None = None) -> Version:
    """Return the version after `latest`, 1.0.0 if there is none. `bump` can raise the level, and only raise it."""
    if latest is None:
        return FIRST
    match max(level, bump or level):
        case Level.MAJOR:
            return latest.bump_major()
        case Level.MINOR:
            return latest.bump_minor()
    return latest.bump_patch()


def _some(names: list[str] | tuple[str, ...]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _columns(found: DatasetDiff, versioning: str) -> Iterator[Change]:
    columns = found.columns
    for name in columns.removed:
        yield Change(Level.MAJOR, f"column `{name}` removed")
    for name, new_name in columns.renamed.items():
        yield Change(Level.MAJOR, f"column `{name}` renamed to `{new_name}`")
    for name, (before, after) in columns.retyped.items():
        yield Change(Level.MAJOR, f"column `{name}` changed from {before} to {after}")
    if columns.reordered:
        yield Change(Level.MAJOR, "columns reordered")
    for name in columns.added:
        harmless = versioning in ("fixed", *ANY_ORDER)
        yield Change(Level.MINOR if harmless else Level.MAJOR, f"column `{name}` added")
    stayed = [rows for split, rows in found.splits.items() if split not in (*found.splits_added, *found.splits_removed)]
    grown = versioning == "append-only" and columns == Columns(added=columns.added) and found.rows_by == "input_id"
    if columns and not (versioning == "living" or grown or all(rows.identical for rows in stayed)):
        yield Change(Level.MAJOR, "columns and rows changed at once")


def _classes(found: DatasetDiff) -> Iterator[Change]:
    for column, classes in found.classes.items():
        for name in classes.removed:
            yield Change(Level.MAJOR, f"class `{name}` removed from `{column}`")
        if classes.reordered:
            yield Change(Level.MAJOR, f"classes of `{column}` reordered")
        inserted = not (classes.in_place or classes.removed or classes.reordered)
        for name in classes.added:
            if inserted:
                yield Change(Level.MAJOR, f"class `{name}` inserted before the end of `{column}`")
            else:
                yield Change(Level.MINOR, f"class `{name}` added to `{column}`")


def _splits(found: DatasetDiff) -> Iterator[Change]:
    for split in found.splits_removed:
        yield Change(Level.MAJOR, f"split `{split}` removed")
    for split in found.splits_added:
        yield Change(Level.MINOR, f"split `{split}` added")
    if found.splits_reordered:
        yield Change(Level.PATCH, "splits reordered")


def _count(number: int) -> str:
    return f"{number:,} row{'s' if number != 1 else ''}"


def _rows(found: DatasetDiff, versioning: str) -> Iterator[Change]:
    lossy = Level.MINOR if versioning == "living" else Level.MAJOR
    for split, rows in found.splits.items():
        if rows.changed:
            keys = rows.examples["changed"]
            names = ", ".join(keys) + (", ..." if rows.changed > len(keys) else "")
            yield Change(lossy, f"{_count(rows.changed)} changed in {split} ({names})")
        if rows.removed and split not in found.splits_removed:
            yield Change(lossy, f"{_count(rows.removed)} removed from {split}")
        for other, number in rows.moved_out.items():
            yield Change(lossy, f"{_count(number)} moved from {split} to {other}")
        if rows.reordered:
            yield Change(Level.PATCH if versioning in ANY_ORDER else lossy, f"rows reordered in {split}")
        if rows.added and split not in found.splits_added:
            yield _added(split, rows, versioning)


def _added(split: str, rows: SplitRows, versioning: str) -> Change:
    stayed = not (rows.changed or rows.removed or rows.moved_out or rows.moved_in or rows.reordered)
    if stayed and not rows.in_place and versioning in ("fixed", "positional"):
        return Change(Level.MAJOR, f"{_count(rows.added)} inserted before the end of {split}")
    return Change(Level.MINOR, f"{_count(rows.added)} added to {split}")


def _bytes_and_metadata(found: DatasetDiff) -> Iterator[Change]:
    differing = [fact.path for fact in found.metadata]
    if not found.content_differs:
        differing += [statistic.path for statistic in found.statistics]
        if found.bytes_differ:
            yield Change(Level.PATCH, "bytes differ, content does not")
    if differing:
        yield Change(Level.PATCH, f"metadata differs: {_some(differing)}")
