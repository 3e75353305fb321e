"""Rows of source files on their way into tables: what is wrong with some of them, and what is left of the others."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import chain
from operator import or_
from typing import Any

import numpy as np
import polars as pl

from registry.describe.canonical import canonical, row_digests
from registry.describe.layout import ID_BYTES
from registry.errors import RegistryError

EXAMPLES = 3
"""Rows of a kind of problem that an error names."""
NO_KEY = "a row without a key"
"""Names a row whose key is null."""
DUPLICATES = "duplicates"
"""The problem of rows that are the same as one before them."""


@dataclass(frozen=True)
class Rows:
    """Some rows: their columns, and for each of them its key, its split, and which problems {name: bool} it has.

    `notes` say more of a row's problem, where there is more to say; `counts` are of what else was found with them.
    """

    samples: pl.DataFrame
    keys: pl.Series
    splits: pl.Series
    problems: Mapping[str, pl.Series] = field(default_factory=dict)
    notes: pl.Series | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    def only(self, kept: pl.Series) -> "Rows":
        """Return the rows for which `kept` is true, as rows without problems."""
        return Rows(self.samples.filter(kept), self.keys.filter(kept), self.splits.filter(kept))


def positions(file: str, start: int, count: int) -> pl.Series:
    """Name rows by their source file and 0-based position in it, as `file:position`."""
    return pl.select(pl.concat_str(pl.lit(f"{file}:"), pl.int_range(start, start + count))).to_series()


ID = f"S{ID_BYTES}"
"""The numpy type of a digest."""


def digests_of(columns: Iterable[pl.Series]) -> np.ndarray:
    """Return a digest of the values of each row in some columns, as an array of ID (n,)."""
    return np.frombuffer(row_digests([canonical(column.to_arrow()) for column in columns], ID_BYTES), ID)


def dropped(problems: Mapping[str, pl.Series], policies: Mapping[str, str], count: int) -> pl.Series:
    """Return for each of `count` rows whether one of its problems has the policy drop."""
    found = pl.repeat(False, count, dtype=pl.Boolean, eager=True)
    return reduce(or_, (has_it for problem, has_it in problems.items() if policies.get(problem) == "drop"), found)


def repeated(rows: Iterable[Rows], policies: Mapping[str, str]) -> np.ndarray:
    """Return for each row whether one before it is the same in all columns; it takes some 40 bytes a row.

    Rows that are dropped for another problem are none of these, so that one of those that are the same always stays.
    """
    ids, gone = [np.empty(0, ID)], [np.empty(0, bool)]
    for its in rows:
        ids.append(digests_of(its.samples))
        gone.append(dropped(its.problems, policies, its.samples.height).to_numpy())
    left = ~np.concatenate(gone)
    found = np.zeros(len(left), dtype=bool)
    found[left] = seen_before(np.concatenate(ids)[left])
    return found


def seen_before(ids: np.ndarray) -> np.ndarray:
    """Return for each digest of an array of ID (n,) whether one before it is the same: bool (n,)."""
    # Their first halves are faster to sort, and the same for few that differ.
    heads = ids.view(np.uint64)[::2]
    ordered = np.sort(heads)
    several = np.flatnonzero(np.isin(heads, ordered[1:][ordered[1:] == ordered[:-1]]))
    found = np.zeros(len(ids), dtype=bool)
    found[several] = True
    found[several[np.unique(ids[several], return_index=True)[1]]] = False
    return found


def with_repeated(rows: Iterable[Rows], again: np.ndarray) -> Iterator[Rows]:
    """Yield the rows with the problem DUPLICATES, as `repeated` found it."""
    start = 0
    for its in rows:
        stop = start + its.samples.height
        problems = {**its.problems, DUPLICATES: pl.Series(again[start:stop])}
        yield replace(its, problems=problems)
        start = stop


def ordered(rows: Iterable[Rows], by: Sequence[str]) -> Iterator[Rows]:
    """Yield the same rows in the order of these columns, and as they came where those are the same.

    All are in memory, and have no problems.
    """
    parts = [*rows]
    if not parts:
        return
    samples, keys, splits = (
        pl.concat([getattr(part, name) for part in parts]) for name in ("samples", "keys", "splits")
    )
    columns = {str(number): samples.get_column(name) for number, name in enumerate(by)}
    order = pl.DataFrame(columns).with_row_index("place").sort([*columns], maintain_order=True)["place"]
    yield Rows(samples[order], keys[order], splits[order])


def with_notes(keys: pl.Series, notes: pl.Series) -> pl.Series:
    """Return keys with what is to be said of their rows, in brackets."""
    said = pl.when(pl.col("notes") != "").then(pl.format("{} ({})", "keys", "notes")).otherwise("keys")
    return pl.DataFrame({"keys": keys, "notes": notes}).select(said).to_series()


@dataclass
class Cleaning:
    """Counts problems, and leaves out rows that have one whose policy is drop; `policies` are {problem: policy}."""

    policies: Mapping[str, str]
    rows: int = 0
    found: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, list[str]] = field(default_factory=dict)
    dropped: int = 0

    def clean(self, rows: Iterable[Rows]) -> Iterator[Rows]:
        """Yield the rows that stay."""
        for its in rows:
            self.rows += its.samples.height
            self.counts.update(its.counts)
            keys = its.keys.alias("key").fill_null(NO_KEY)
            places = keys if its.notes is None else with_notes(keys, its.notes)
            for problem, has_it in its.problems.items():
                self.found[problem] += has_it.sum()
                examples = self.first.setdefault(problem, [])
                examples += places.filter(has_it).head(EXAMPLES - len(examples)).to_list()
            kept = ~dropped(its.problems, self.policies, its.samples.height)
            self.dropped += its.samples.height - kept.sum()
            yield its if kept.all() and not its.problems else its.only(kept)

    def check(self, dataset: str) -> None:
        """Raise one RegistryError that lists the problems found which are to fail."""
        lines = [
            f"    {problem}: {number:,}, e.g. {', '.join(self.first[problem])}"
            for problem, number in self.found.items()
            if number and self.policies[problem] == "fail"
        ]
        if lines:
            raise RegistryError(
                "these rows are not allowed:\n" + "\n".join(lines),
                where=dataset,
                hint=f"fix the source, or set params.problems to drop or keep in config/datasets/{dataset}.yaml",
            )

    def cleaned(self, read: Callable[[], Iterable[Rows]]) -> Iterator[Rows]:
        """Yield the rows that stay of those that `read` yields, whenever it is called.

        Where repeated ones are not to stay, they are found first, unless the rows tell themselves.
        """
        rows = iter(read())
        if (first := next(rows, None)) is None:
            return
        rows = chain([first], rows)
        if self.policies[DUPLICATES] != "keep" and DUPLICATES not in first.problems:
            rows = with_repeated(rows, repeated(read(), self.policies))
        yield from self.clean(rows)

    def report(self) -> dict[str, Any]:
        """Return what was found, for reports/<dataset>/cleaning.json."""
        counts = {"rows": self.rows, "found": dict(self.found), "dropped": self.dropped, **self.counts}
        return {"counts": counts, "first": self.first}
