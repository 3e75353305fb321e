"""Gather what a page shows of a dataset: its versions, what each says of itself, and rows of them with their values."""

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import numpy as np

from registry.catalog.numbered import MAX_RUNS, Numbered, NumberedRows, runs_of
from registry.catalog.profiles import profile_of
from registry.catalog.values import Values, exact, read_values
from registry.compare.diff import told
from registry.compare.manifests import rows_of_splits
from registry.describe.breaches import how
from registry.describe.metadata import FILLED_IN, Leaf
from registry.errors import RegistryError
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.snapshots import snapshots
from registry.storage.tags import Entry

FIRST, SAMPLED, MOVED = 25, 25, 25
"""Rows of a split that a page shows: the first, others by chance, and those that a version has more or less."""
MAX_ROWS = 3000
"""Rows whose values are read of a dataset."""
MAX_BYTES = 400_000
"""Bytes of JSON that the values of rows have, and after which no more are taken."""
LEAST = 2
"""Bytes of JSON that a value has at least, with what comes between it and the next one."""
MAX_PICTURES, PICTURE_BYTES = 300, 1_000_000
"""Small pictures, and bytes of them, after which no more are taken."""
SEED = 0


@dataclass(frozen=True)
class VersionPage:
    """One version, or another state, of this name, and the numbers of its rows.

    `snapshot` is None where it cannot be read, and `numbered` where its manifest cannot: `problem` says why. `entry` is
    what the history has of it, if it was released.
    """

    version: str
    snapshot: Snapshot | None
    problem: str | None = None
    numbered: Numbered | None = field(default=None, repr=False)
    profile: dict[str, Any] = field(default_factory=dict, repr=False)
    entry: Entry | None = None

    @property
    def rows(self) -> np.ndarray | None:
        """The numbers of its rows, in their order; None where they cannot be read."""
        return self.numbered and self.numbered.rows

    @property
    def sizes(self) -> dict[str, int]:
        """How many rows each of its splits has, in the order of its rows, whatever the order in its metadata.json."""
        known = self.snapshot.sizes
        return known if self.numbered is None else {split: known[split] for split, _ in self.numbered.digests}

    @property
    def tag(self) -> str | None:
        """Its tag, if it was released."""
        return self.entry and self.entry.tag


@dataclass
class DatasetPages:
    """A dataset: its versions, newest first, the numbers of all their rows, and the values of some of these."""

    name: str
    versions: list[VersionPage]
    numbered: NumberedRows
    values: Values = field(default_factory=Values)
    without_values: dict[str, str] = field(default_factory=dict)
    """{version: why no values of its rows are shown}"""
    alike: list[dict[str, Any]] = field(default_factory=list)
    """Rows that are like each other, by their numbers, and a note that says how like."""

    @property
    def newest(self) -> VersionPage:
        """The newest version."""
        return self.versions[0]


def _unsaid(line: str) -> None:
    pass


def gather(
    repository: Repository, dataset: str, entries: Sequence[Entry], say: Callable[[str], None] = _unsaid
) -> DatasetPages:
    """Return what is shown of a dataset with these versions, newest first.

    Manifests and the data of these versions are fetched where they are not here; what nobody has is said in its place,
    without addresses, and with them to `say`.
    """
    numbered, versions = NumberedRows(), []
    read = snapshots(repository, [(dataset, entry) for entry in entries])
    for entry in reversed(entries):
        snapshot = read[entry.tag]
        if isinstance(snapshot, RegistryError):
            say(f"{entry.tag} cannot be read: {snapshot.reason}")
            versions.append(VersionPage(entry.version, None, snapshot.public, entry=entry))
        else:
            versions.append(_version(entry.version, snapshot, numbered, entry, say))
    found = DatasetPages(dataset, versions[::-1], numbered)
    _add_values(found, _wanted(found.versions), say)
    return found


def gather_one(name: str, snapshot: Snapshot) -> DatasetPages:
    """Return what is shown of one state of a dataset, under a name for it."""
    numbered = NumberedRows()
    found = DatasetPages(snapshot.dataset, [_version(name, snapshot, numbered)], numbered)
    _add_values(found, [] if found.newest.rows is None else [*_first(found.newest), *_by_chance(found.newest)])
    return found


def gather_two(
    old: tuple[str, Snapshot], new: tuple[str, Snapshot], alike: Sequence[Mapping[str, Any]] = ()
) -> DatasetPages:
    """Return what is shown of the difference between two states of a dataset, each with its name.

    `alike` are rows of the new one that are like one of the old one, as run.schema.yaml has them.
    """
    numbered = NumberedRows()
    versions = [_version(name, snapshot, numbered) for name, snapshot in (old, new)]
    found = DatasetPages(new[1].dataset, versions[::-1], numbered)
    if all(version.rows is not None for version in versions):
        before, after = map(_by_split, versions)
        for one in alike:
            rows = [int(side[its["split"]][its["row"]]) for side, its in ((after, one), (before, one["like"]))]
            found.alike.append({"rows": rows, "note": how(one["distance"], one["distance"] is None)})
    _add_values(found, [*chain(*(one["rows"] for one in found.alike)), *_moved(found.versions, MAX_ROWS)])
    return found


def _version(
    name: str,
    snapshot: Snapshot,
    known: NumberedRows,
    entry: Entry | None = None,
    say: Callable[[str], None] = _unsaid,
) -> VersionPage:
    # Why rows cannot be read is said where their values are missing.
    numbered, profile, problem = None, {}, None
    with suppress(RegistryError):
        profile = profile_of(snapshot)
    try:
        numbered = known.add(snapshot)
    except RegistryError as error:
        problem = error.public
        say(f"{snapshot.name}: its rows cannot be shown: {error.reason}")
    return VersionPage(name, snapshot, problem, numbered, profile, entry)


def _add_values(found: DatasetPages, rows: Iterable[int], say: Callable[[str], None] = _unsaid) -> None:
    """Read the values of rows, those first that matter most, each in the newest version that has it and can be read."""
    columns = max(
        (len(one.snapshot.metadata["schema"]["features"]) for one in found.versions if one.snapshot), default=1
    )
    wanted = [*islice(dict.fromkeys(rows), min(MAX_ROWS, MAX_BYTES // (LEAST * columns)))]
    lacking, read = set(wanted), Values()
    for version in found.versions:
        if version.rows is None or not lacking:
            continue
        try:
            read_values(version.snapshot, _places(version, lacking), read)
        except RegistryError as error:
            found.without_values[version.version] = error.public
            say(f"{version.snapshot.name}: no values of its rows are shown: {error.reason}")
        lacking -= read.rows.keys()
    found.values = _within_bounds(read, wanted)


def _places(version: VersionPage, lacking: set[int]) -> dict[str, dict[int, int]]:
    """Return {split: {place in it: number of the row}} of the rows that are lacking and that a version has."""
    places = {}
    for split, rows in _by_split(version).items():
        inside = np.flatnonzero(np.isin(rows, np.fromiter(lacking, np.uint32, len(lacking))))
        places[split] = {int(place): int(rows[place]) for place in inside}
    return places


def _by_split(version: VersionPage) -> dict[str, np.ndarray]:
    """Return {split: the numbers of its rows} of a version."""
    places = rows_of_splits(version.sizes)
    return {split: version.rows[rows.start : rows.stop] for split, rows in places.items()}


def _wanted(versions: Sequence[VersionPage]) -> Iterator[int]:
    """Yield the numbers of the rows to show, those first that matter most."""
    readable = [version for version in versions if version.rows is not None]
    for version in readable:
        yield from _first(version)
    yield from _moved(versions, MOVED)
    for version in readable[:1]:
        yield from _by_chance(version)
    for version in readable:
        yield from version.rows[:MAX_ROWS].tolist()


def _first(version: VersionPage) -> Iterator[int]:
    """Yield the first rows of each split of a version."""
    for rows in _by_split(version).values():
        yield from rows[:FIRST].tolist()


def _by_chance(version: VersionPage) -> Iterator[int]:
    """Yield some rows of each split of a version, which are the same whenever they are drawn."""
    chance = random.Random(SEED)  # noqa: S311  it picks rows to look at
    for rows in _by_split(version).values():
        yield from rows[sorted(chance.sample(range(len(rows)), min(SAMPLED, len(rows))))].tolist()


def _moved(versions: Sequence[VersionPage], number: int) -> Iterator[int]:
    """Yield, of each split, the first rows that a version has more than the one before it, and those it has less."""
    readable = [version for version in versions if version.rows is not None]
    for newer, older in zip(readable, readable[1:], strict=False):
        for here, there in ((newer, older), (older, newer)):
            for rows in _by_split(here).values():
                yield from rows[~np.isin(rows, there.rows)][:number].tolist()


def _within_bounds(read: Values, wanted: Sequence[int]) -> Values:
    """Return the rows that matter most, while they and their pictures are no more than a page takes."""
    kept, text, pictures = Values(), 0, 0
    for number in wanted:
        row = read.rows.get(number)
        if row is None:
            continue
        names = {value["picture"] for value in row.values() if isinstance(value, dict) and "picture" in value}
        new = {name: read.pictures[name] for name in sorted(names) if name not in kept.pictures}
        text += len(json.dumps([*row.values()], ensure_ascii=False).encode())
        pictures += sum(map(len, new.values()))
        if text > MAX_BYTES or pictures > PICTURE_BYTES or len(kept.pictures | new) > MAX_PICTURES:
            break
        kept.rows[number] = row
        kept.pictures |= new
    return kept


def data_of(found: DatasetPages, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return what the script of a page reads of a dataset, as JSON; `names` are what rows are called beside keys."""
    columns = [*dict.fromkeys(name for row in found.values.rows.values() for name in row)]
    numbers = sorted(found.values.rows)
    runs = {version.version: runs_of(version.rows) for version in found.versions if version.rows is not None}
    scattered = sum(map(len, runs.values())) > MAX_RUNS
    return {
        "name": found.name,
        "versions": [
            _as_json(version, None if scattered else runs.get(version.version))
            | {"without_values": found.without_values.get(version.version)}
            for version in found.versions
        ],
        "total": len(found.numbered),
        "scattered": scattered,
        **({} if scattered else found.numbered.columns()),
        "columns": columns,
        "values": {number: [found.values.rows[number].get(name) for name in columns] for number in numbers},
        "names": dict(zip(numbers, found.numbered.keys(numbers), strict=True)) if names is None else names,
    }


def _as_json(version: VersionPage, runs: Sequence[tuple[int, int]] | None) -> dict[str, Any]:
    snapshot = version.snapshot
    about: dict[str, Any] = {"version": version.version, "tag": version.tag}
    if snapshot is None or version.rows is None:
        about["problem"] = version.problem
    if snapshot is None:
        return about
    metadata = snapshot.metadata
    said = [(name, its["dtype"]) for name, its in metadata["schema"]["features"].items()]
    return about | {
        "splits": [*version.sizes.items()],
        "schema": said if version.numbered is None else version.numbered.schema,
        "digests": [] if version.numbered is None else version.numbered.digests,
        "facts": _facts(metadata),
        "profile": version.profile,
        "rows": runs,
    }


def _facts(metadata: dict[str, Any]) -> list[tuple[Leaf, Any]]:
    """Return what a version says of itself, as far as `registry diff` tells it, and what it says it was made of."""
    facts = told(metadata) | ({(FILLED_IN,): metadata[FILLED_IN]} if FILLED_IN in metadata else {})
    return [(path, exact(value)) for path, value in facts.items()]
