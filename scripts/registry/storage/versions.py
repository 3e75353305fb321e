"""Choose one of the versions that there are: by number, the latest, or the highest of a range."""

import operator
import re
from collections.abc import Iterable, Sequence

from semver import Version

LATEST = "latest"
SPELLINGS = "a number such as 1.2.0, latest, or a range such as ^1, ~1.2 or >=1.1,<2"
"""What `choose` takes."""
NEAREST = 8
"""Versions that a message lists, where there are more."""

_GIVEN = r"\d{1,9}(?:\.\d{1,9}){0,2}"
_CONDITION = rf"(\^|~=?|[<>]=?|[!=]=|=)\s*({_GIVEN})"
_RANGE = re.compile(rf"\s*{_CONDITION}(?:(?:\s*,\s*|\s+){_CONDITION})*\s*", re.ASCII)
_EXACT = re.compile(r"\d{1,9}\.\d{1,9}\.\d{1,9}", re.ASCII)
_COMPARISONS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}

Numbers = tuple[int, ...]


def choose(known: Iterable[Version], wanted: str) -> Version | None:
    """Return the version that is wanted; None where it is not known.

    `wanted` is a number (1.2.0), `latest` (the highest), or a range whose highest version is taken: conditions, joined
    by commas or spaces, all of which must hold.
    - `^1.2`: every 1.x from 1.2.0 on. While the first number is 0, the second one stays, too.
    - `~1.2`: every 1.2.x; `~1`: every 1.x.
    - `~=1.2`: every 1.x from 1.2.0 on; `~=1.2.3`: every 1.2.x from 1.2.3 on.
    - `>=1.1`, `>1.1`, `<2`, `<=1.5`, `=1.4`, `==1.4`, `!=1.4` compare as many numbers as are given: >1.1 begins at
      1.2.0, and <=1.5 holds 1.5.9.
    """
    conditions = _conditions(wanted)
    fits = [
        version
        for version in known
        if wanted in (LATEST, str(version))
        or (conditions and all(_holds(_numbers_of(version), *condition) for condition in conditions))
    ]
    return max(fits, default=None)


def describe_choices(known: Sequence[Version], wanted: str) -> str:
    """Return what to say where no version is the one that is wanted: how to spell one if need be, and the nearest."""
    versions = sorted(known)
    given = re.search(_GIVEN, wanted, re.ASCII)
    place = sum(_numbers_of(version) < _as_numbers(given[0]) for version in versions) if given else len(versions)
    start = max(0, min(place - NEAREST // 2, len(versions) - NEAREST))
    near = ", ".join(map(str, [LATEST, *versions[start : start + NEAREST]]))
    more = f"; these are the nearest of {len(versions):,}" if len(versions) > NEAREST else ""
    spelling = "" if _EXACT.fullmatch(wanted) or _conditions(wanted) else f"write {SPELLINGS}; "
    return f"{spelling}choose from: {near}{more}"


def _conditions(wanted: str) -> list[tuple[str, Numbers]]:
    """Return the conditions of a range, (operator, numbers) each; none where it is no range."""
    if not _RANGE.fullmatch(wanted):
        return []
    return [(kind, _as_numbers(numbers)) for kind, numbers in re.findall(_CONDITION, wanted, re.ASCII)]


def _as_numbers(text: str) -> Numbers:
    return tuple(map(int, text.split(".")))


def _numbers_of(version: Version) -> Numbers:
    return version.to_tuple()[:3]


def _holds(found: Numbers, kind: str, given: Numbers) -> bool:
    if kind in _COMPARISONS:
        return _COMPARISONS[kind](found[: len(given)], given)
    if kind == "~":
        fixed = min(len(given), 2)
    elif kind == "~=":
        fixed = max(len(given) - 1, 1)
    else:
        fixed = next((place for place, number in enumerate(given, start=1) if number), len(given))
    lowest = (*given, 0, 0)[:3]
    return found >= lowest and found[:fixed] == lowest[:fixed]
