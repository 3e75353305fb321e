"""How far the columns of two versions have drifted apart, from their metadata.json alone.

Two figures say it for each measure of a column in a split (registry.describe.profile):
- psi, the population stability index: the sum over all cells of (p - q) * ln(p / q), where p and q are the shares of
  the new and the old rows. Credit scoring takes less than 0.1 for no change and more than 0.25 for a large one
  (Siddiqi, Credit Risk Scorecards, 2006). A share of 0 counts as NONE, so that it has a logarithm.
- jensen_shannon, the divergence in bits (Lin, Divergence measures based on the Shannon entropy, IEEE Transactions on
  Information Theory 37(1), 1991): 0 where both are the same, 1 where they have nothing in common.

Cells are classes, rows with and without a value, and for numbers at most GROUPS groups of neighbouring bins, each of
which has a tenth of the rows of both or more. Where there are few rows, chance alone moves psi: with k cells and n and
m rows it stays below (1/n + 1/m) times the 95 % quantile of chi-squared with k - 1 degrees of freedom, 19 times in 20
(Yurdakul and Naranjo, Statistical properties of the population stability index, Journal of Risk Model Validation 14(4),
2020). That is `chance`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NONE = 1e-4
"""What a share of 0 counts as in psi."""
GROUPS = 10
NORMAL_95 = 1.6449
"""The 95 % quantile of the normal distribution."""
DIGITS = 6
"""To which figures are rounded."""
MISSING, CLASSES = "missing", "classes"

Cells = list[tuple[int, int]]
"""How many of the old rows are in each cell, and how many of the new."""


@dataclass(frozen=True)
class Drift:
    """How far a measure of a column has moved in a split; `new` and `lost` are values of classes that came and went."""

    column: str
    measure: str
    split: str
    psi: float
    jensen_shannon: float
    chance: float
    new: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def drift(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Drift]:
    """Return how far each measure of each column moved that two profiles have, those of metadata.json.

    Times are left out, since they always move; so are numbers of which the classes are compared.
    """
    found = []
    for column in old:
        for measure, split, (cells, *values) in _of_column(old[column], new.get(column, {})):
            cells = [cell for cell in cells if any(cell)]
            totals = [sum(side) for side in zip(*cells, strict=True)]
            if totals and all(totals):
                shares = [[cell[side] / total for cell in cells] for side, total in enumerate(totals)]
                figures = psi(*shares), jensen_shannon(*shares), chance(len(cells), totals)
                found.append(
                    Drift(column, measure, split, *(round(one, DIGITS) for one in figures), *map(tuple, values))
                )
    return found


def untold(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (column, measure, split) of what an old profile has, and a new one of the same column and split has not.

    A column has no classes any more if too many of its values are different.
    """
    return [
        (column, measure, split)
        for column in old
        if column in new
        for measure, by_split in old[column].items()
        for split in by_split
        if split in new[column]["rows"] and split not in new[column].get(measure, {}) and measure != "time"
    ]


def moved(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Drift]:
    """Return what has moved by more than chance would have it, the most first."""
    return sorted((one for one in drift(old, new) if one.psi > one.chance), key=lambda one: -one.psi)


def _of_column(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[Cells, ...]]]:
    for measure, by_split in old.items():
        for split, before in by_split.items():
            after = new.get(measure, {}).get(split)
            if after is None or measure == "time":
                continue
            if measure == "rows":
                yield MISSING, split, ([(before[key], after[key]) for key in ("count", "missing")],)
            elif measure == CLASSES:
                yield CLASSES, split, _of_classes(before, after)
            elif not (measure == "value" and split in old.get(CLASSES, {}) and split in new.get(CLASSES, {})):
                yield measure, split, (_groups(before["histogram"], after["histogram"]),)


def psi(old: Sequence[float], new: Sequence[float]) -> float:
    """Return the population stability index of two lists of shares."""
    pairs = ((max(p, NONE), max(q, NONE)) for p, q in zip(old, new, strict=True))
    return math.fsum((q - p) * math.log(q / p) for p, q in pairs)


def jensen_shannon(old: Sequence[float], new: Sequence[float]) -> float:
    """Return the Jensen-Shannon divergence of two lists of shares, in bits."""
    parts = (
        share * math.log2(2 * share / (p + q)) / 2 for p, q in zip(old, new, strict=True) for share in (p, q) if share
    )
    return max(0.0, math.fsum(parts))


def chance(cells: int, totals: Sequence[int]) -> float:
    """Return what psi stays below 19 times in 20 where nothing has changed; the quantile is Wilson and Hilferty's."""
    if not (freedom := cells - 1):
        return 0.0
    part = 2 / (9 * freedom)
    return freedom * (1 - part + NORMAL_95 * math.sqrt(part)) ** 3 * sum(1 / total for total in totals)


def _of_classes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Cells, list[str], list[str]]:
    """Return the cells of two columns of classes, and those that came and went, as far as all are named."""
    before, after = old["values"], new["values"]
    came = [name for name in after if name not in before]
    went = [name for name in before if name not in after]
    cells = [(before.get(name, 0), after.get(name, 0)) for name in dict.fromkeys([*before, *after])]
    if old["others"] or new["others"]:  # Who is not named may be among them.
        rest = [cell for cell in cells if not all(cell)]
        cells = [cell for cell in cells if all(cell)]
        cells.append((old["others"] + sum(p for p, _ in rest), new["others"] + sum(q for _, q in rest)))
    return cells, [] if old["others"] else came, [] if new["others"] else went


def on_grid(found: Mapping[str, Any], power: int) -> dict[int, int]:
    """Return {number of a bin: count} of a histogram on a grid that is as coarse as its own, or coarser.

    What is `below` counts as in the bin before the first, what is `above` as in the one after the last: that is at most
    a thousandth of the values on either side.
    """
    first, counts = found["first"], found["counts"]
    merged: dict[int, int] = {}
    numbered = [(first - 1, found["below"]), *enumerate(counts, first), (first + len(counts), found["above"])]
    for number, count in numbered:
        if count:
            coarse = number >> (power - found["power"])
            merged[coarse] = merged.get(coarse, 0) + count
    return merged


def _groups(old: Mapping[str, Any], new: Mapping[str, Any]) -> Cells:
    """Return how many of the values of two histograms are in each of at most GROUPS groups of bins."""
    power = max(old["power"], new["power"])
    before, after = on_grid(old, power), on_grid(new, power)
    totals = [sum(counts.values()) or 1 for counts in (before, after)]
    groups: Cells = []
    held = 0.0
    for number in sorted(before.keys() | after.keys()):
        cell = before.get(number, 0), after.get(number, 0)
        if not groups or held >= 1 / GROUPS:
            groups.append((0, 0))
            held = 0.0
        groups[-1] = groups[-1][0] + cell[0], groups[-1][1] + cell[1]
        held += (cell[0] / totals[0] + cell[1] / totals[1]) / 2
    if len(groups) > 1 and held < 1 / GROUPS:
        last = groups.pop()
        groups[-1] = groups[-1][0] + last[0], groups[-1][1] + last[1]
    return groups
