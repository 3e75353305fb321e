"""Show how a dataset broke its contract: the rows that do, with their values, on a page that needs no other file."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from registry.catalog.dataset import DatasetPages, VersionPage, data_of
from registry.catalog.numbered import NumberedRows
from registry.catalog.pages import SECTIONS
from registry.catalog.state import drawn
from registry.catalog.values import Values, read_picture, read_tables, read_values
from registry.describe.breaches import MOST_ROWS, SHOWN_ROWS
from registry.describe.metadata import profile_of
from registry.errors import RegistryError
from registry.gate import GateError, checked_path
from registry.storage.snapshot import Snapshot

STATE = "as it was built"
"""What the page calls the data."""
SHOWN = ("overview", "columns", "contract", "found", "lineage")
"""Sections about the dataset."""
BYTES, PIXELS = 2_000_000, 200_000_000
"""Bytes of values and small pictures, and pixels of the pictures, after which no more rows are shown with values."""
MOST = 500
"""Breaches that a page has."""
TABLES = (".parquet", ".csv")
"""How the files end of which a row is named by its number."""


def breaches_page(record: Mapping[str, Any], root: Path) -> bytes:
    """Return the page of a dataset that broke its contract, by the record that the job which found it has left.

    The record has the state and the breaches of a ContractError; rows are read below `root`, where they are there.
    Raises GateError for a record that names other places.
    """
    metadata, provenance = record["metadata"], record["provenance"]
    folder = f"data/{metadata['dataset']['name']}/{provenance['data']['path']}"
    for path in (folder, *record["references"].values()):
        if not checked_path(path, where="breaches").startswith("data/"):
            raise GateError(f"{path} is not in data/", where="breaches")
    built = _state(metadata["dataset"]["name"], metadata, provenance, root)
    breaches = record["breaches"][:MOST]
    rows = _Rows(breaches)
    found = DatasetPages(built.dataset, [], NumberedRows(), Values(room=(BYTES, PIXELS)))
    try:
        read_values(built, rows.own(), found.values)
    except RegistryError as error:
        found.without_values[STATE] = error.public
    except OSError as error:
        found.without_values[STATE] = error.strerror or type(error).__name__
    for name, path in record["references"].items():
        _read_others(name, path, root, rows.of(name), found.values)
    profile = profile_of(metadata, where=built.dataset)
    found.versions.append(VersionPage(STATE, built, profile=profile))
    data = data_of(found, rows.names) | {"cases": rows.cases, "others": rows.others()}
    sections = {"breaches": "What breaks the contract"} | {id_: SECTIONS[id_] for id_ in SHOWN}
    columns = [*metadata["schema"]["features"]]
    return drawn(
        found,
        built,
        data,
        sections,
        breaches=[{**breach, "of": _column_of(breach["column"], columns)} for breach in breaches],
        more=len(record["breaches"]) - len(breaches),
        shown=(len(found.values.rows), len(rows.names)),
        places={column: place for place, column in enumerate(columns, 1) if column in profile},
    )


def _column_of(place: str, columns: Sequence[str]) -> str | None:
    """Return the column that a place in one, as messages name it, is in; None where it is in none."""
    its = [column for column in columns if place == column or place.startswith((f"{column}.", f"{column}["))]
    return max(its, key=len, default=None)


def _state(dataset: str, metadata: dict[str, Any], provenance: dict[str, Any], root: Path) -> Snapshot:
    return Snapshot(dataset, "what was built", metadata, provenance, {}).in_tree(root)


class _Rows:
    """The rows of the cases of breaches: each has a number, and a name; `cases` has the numbers of each breach's."""

    def __init__(self, breaches: Sequence[Mapping[str, Any]]) -> None:
        self._numbers: dict[tuple[str | None, str, int | str], int] = {}
        self.names: list[str] = []
        self.cases = [
            [
                {"rows": [*map(self._numbered, case["rows"][:MOST_ROWS])], "note": case["note"]}
                for case in breach["cases"][:SHOWN_ROWS]
            ]
            for breach in breaches
        ]

    def _numbered(self, row: Mapping[str, Any]) -> int:
        place = row["dataset"], row["split"], row["key"] if row["row"] is None else row["row"]
        if place not in self._numbers:
            name = f"row {row['row']:,}" if row["key"] is None else row["key"]
            where = row["dataset"] or row["split"]
            self.names.append(name if where == "all" else f"{name} of {where}")
            self._numbers[place] = len(self._numbers)
        return self._numbers[place]

    def own(self) -> dict[str, dict[int, int]]:
        """Return the rows of the dataset itself, {split: {place in it: number}}."""
        found: dict[str, dict[int, int]] = {}
        for (dataset, split, place), number in self._numbers.items():
            if dataset is None and isinstance(place, int):
                found.setdefault(split, {})[place] = number
        return found

    def others(self) -> list[int]:
        """Return the numbers of the rows of other datasets."""
        return [number for (dataset, _, _), number in self._numbers.items() if dataset is not None]

    def of(self, dataset: str) -> dict[str, int]:
        """Return the rows of another dataset, {key: number}."""
        return {str(key): number for (name, _, key), number in self._numbers.items() if name == dataset}


def _read_others(name: str, path: str, root: Path, rows: Mapping[str, int], into: Values) -> None:
    """Read rows of another dataset, {key: number}, whose data is at `path`: of tables, or files of pictures."""
    data = Path(path)
    metadata = {"dataset": {"name": name}, "schema": {"features": {}}, "splits": {}}
    state = _state(name, metadata, {"data": {"path": data.name, "bytes": 0}}, root)
    tables: dict[str, dict[int, int]] = {}
    for key, number in rows.items():
        file, _, place = key.rpartition(":")
        if file.endswith(TABLES) and place.isdecimal():
            table = path if data.suffix in TABLES else f"{path}/{checked_path(file, where=path)}"
            tables.setdefault(table, {})[int(place)] = number
        elif not into.full:
            # Where a row cannot be read, its key is shown without its values.
            with suppress(RegistryError, OSError):
                read_picture(state, f"{path}/{checked_path(key, where=path)}", number, into)
    for table, places in tables.items():
        with suppress(RegistryError, OSError):
            read_tables(state, [table], places, into)
