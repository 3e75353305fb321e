"""What a contract says of leakage (`contract.quality.leakage`): which duplicates are looked for, and how many may be.

Light, as the room is.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from registry.config.columns import references

LEVELS = ("fail", "warn")
"""From the worst on."""
DIGITS = 4
"""Significant digits of floats that count unless a contract says how many."""
TRAINED_ON = "train"
"""The split that models learn from; they are measured by the others, unless a contract names these."""

Limits = Mapping[str, float]
"""The level by what is beyond it: so many rows or, below 1, such a share of them."""


def leakage(contract: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a contract says of leakage, empty if nothing."""
    return contract.get("quality", {}).get("leakage", {})


def limits_of(said: str | Limits) -> Limits:
    """Return limits, which may be said by the level of a single row."""
    return {said: 0} if isinstance(said, str) else {level: said[level] for level in LEVELS if level in said}


def others(contract: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the other datasets that rows are held against, and what is said of each: limits, and perhaps a column."""
    said = leakage(contract).get("against", {})
    said = dict.fromkeys(said, LEVELS[0]) if isinstance(said, list) else said
    return {name: {one: 0} if isinstance(one, str) else one for name, one in said.items()}


def referred(contract: Mapping[str, Any]) -> list[str]:
    """Return the names of the datasets that a contract refers to, in its columns or as rows are held against them."""
    return [*dict.fromkeys([*references(contract.get("columns", {})), *others(contract)])]


def beyond(limits: Limits, count: int, total: int) -> tuple[str, float] | None:
    """Return the worst level beyond which so many of all rows are, and its limit."""
    worst = [level for level in LEVELS if level in limits and count > _most(limits[level], total)]
    return (worst[0], limits[worst[0]]) if worst else None


def _most(limit: float, total: int) -> float:
    return limit if limit >= 1 else limit * total


def in_words(limit: float) -> str:
    """Return a limit as messages name it."""
    return f"at most {limit:g} rows" if limit >= 1 else f"at most {limit:.4g} of the rows" if limit else "no row"


def problems(contract: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield what is wrong with the leakage of a dataset's contract that keeps the schema."""
    said = leakage(contract)
    asked = {key: said[key] for key in ("across", "within", "older") if key in said}
    for place, one in {**asked, **{f"against.{other}": its for other, its in others(contract).items()}}.items():
        limits = limits_of(one)
        comparable = len(limits) == len(LEVELS) and (limits["warn"] < 1) == (limits["fail"] < 1)
        if comparable and limits["warn"] >= limits["fail"]:
            yield f"{place}: warn, {limits['warn']:g}, is not below fail, {limits['fail']:g}"
    if name in others(contract):
        yield f"against.{name}: it is this dataset itself, which across and within are about"
