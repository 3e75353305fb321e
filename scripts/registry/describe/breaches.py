"""How a contract is broken: in words for people, as records for programs, and with the rows that a page shows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from registry.describe.twins import numbered_rows
from registry.errors import ContractError

SAID = 3
"""Cases of a breach that a message names, ..."""
SHOWN_ROWS = 20
"""... and those that a page shows."""
MOST_ROWS = 4
"""Rows that are the same of which a case has some."""
BREACHES = 10
"""Breaches that a message names."""
MOST_SHOWN = 200
"""Cases of all breaches that a page shows."""


@dataclass(frozen=True)
class Row:
    """A row of a split: its number and, if it is known, its key; of another dataset, its key there, `<file>:<row>`."""

    split: str
    number: int | None = None
    key: str | None = None
    dataset: str | None = None


@dataclass(frozen=True)
class Case:
    """Rows that show a breach: one, or several that are the same or like each other; `note` says how like."""

    rows: Sequence[Row]
    note: str = ""


Cases = dict[tuple[str, str, str | None], list[Case]]
"""Rows that are alike, by two splits or, after a split and "", by another dataset."""


def how(distance: float, exact: bool) -> str:  # noqa: FBT001  it is said of a pair
    """Return in words how alike two rows are."""
    return "the same" if exact else f"at a distance of {distance:g}"


@dataclass
class Breach:
    """What breaks a rule: how often, the first row that does, words for the first cases, and the rows of more."""

    count: int = 0
    row: int | None = None
    said: list[str] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)

    def __str__(self) -> str:
        more = f" and {self.count - SAID:,} more" if self.count > SAID else ""
        return f": found {', '.join(self.said)}{more}" if self.count else ""


class Breaches:
    """All breaches of a contract, by split, by what they are about, and by rule."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str, str], Breach] = {}

    def __bool__(self) -> bool:
        return bool(self._all)

    def note(
        self,
        split: str,
        place: str,
        rule: str,
        said: Sequence[str] = (),
        count: int | None = None,
        row: int | None = None,
        cases: Sequence[Case] = (),
    ) -> None:
        """Note a breach, in words for the cases to name (there may be more), with its first row and rows to show."""
        breach = self._all.setdefault((split, place, rule), Breach(row=row))
        breach.count += len(said) if count is None else count
        breach.said += said[: SAID - len(breach.said)]
        breach.cases += cases[: SHOWN_ROWS - len(breach.cases)]

    def name_rows(self, manifest: str | Path) -> None:
        """Look up, in a manifest, the keys of rows that are known by their numbers alone."""
        rows = [row for breach in self._all.values() for case in breach.cases for row in case.rows]
        found = dict(zip(rows, with_keys(manifest, rows), strict=True))
        for breach in self._all.values():
            breach.cases = [replace(case, rows=[found[row] for row in case.rows]) for case in breach.cases]

    def error(self, dataset: str) -> ContractError:
        """Return the error that lists them."""
        named = [f"    {split}: {place}: {rule}{breach}" for (split, place, rule), breach in self._all.items()]
        lines = named[:BREACHES] + [f"    and {len(named) - BREACHES:,} more"] * (len(named) > BREACHES)
        cleaning = Path("reports", dataset, "cleaning.json")
        seen = f"see what was left out in {cleaning}; " if cleaning.is_file() else ""
        return ContractError(
            "the contract is broken:\n" + "\n".join(lines),
            where=dataset,
            hint=f"{seen}fix the source or the params, or, if the data is right, the contract in "
            f"config/datasets/{dataset}.yaml",
            breaches=[*self._records()],
        )

    def _records(self) -> Iterator[dict[str, Any]]:
        left = MOST_SHOWN
        for (split, place, rule), breach in self._all.items():
            cases = breach.cases[:left]
            left -= len(cases)
            yield {
                "rule": rule,
                "split": split,
                "column": place,
                "row": breach.row,
                "message": f"{rule}{breach}",
                "cases": [{"rows": [*map(_record, case.rows)], "note": case.note} for case in cases],
            }


def _record(row: Row) -> dict[str, Any]:
    return {"split": row.split, "row": row.number, "key": row.key, "dataset": row.dataset}


def with_keys(manifest: str | Path, rows: Sequence[Row]) -> list[Row]:
    """Return the same rows of a manifest, each with its key. Those that are not there stay as they are."""
    wanted = {row.number for row in rows if row.key is None}
    keys = dict[tuple[str, int | None], str]()
    for batch in numbered_rows(manifest, "split", "key") if wanted else ():
        found = pl.DataFrame(batch).filter(pl.col("row").is_in(wanted))
        keys |= {(split, number): key for split, key, number in found.iter_rows()}
    return [row if row.key is not None else replace(row, key=keys.get((row.split, row.number))) for row in rows]
