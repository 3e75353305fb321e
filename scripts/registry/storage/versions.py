"""Choose one of the versions that there are: by number, the latest, or the highest of a range."""

import re
from collections.abc import Iterable

from semver import Version

LATEST = "latest"
_RANGE = re.compile(r"([~^])(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?", re.ASCII)


def choose(known: Iterable[Version], wanted: str) -> Version | None:
    """Return the version that is wanted; None where it is not known.

    `wanted` is a number (1.2.0), `latest` (the highest), or a range whose highest version is taken: `~1.2` is every
    1.2.x, `^1.2` is every 1.x from 1.2.0 on. While the first number is 0, `^` keeps the second one, too.
    """
    fits = [version for version in known if wanted in (LATEST, str(version)) or _in_range(version, wanted)]
    return max(fits, default=None)


def _in_range(version: Version, wanted: str) -> bool:
    match = _RANGE.fullmatch(wanted)
    if match is None:
        return False
    kind, *given = match.groups()
    numbers = [int(number) for number in given if number is not None]
    if kind == "~":
        fixed = min(len(numbers), 2)
    else:
        fixed = next((place for place, number in enumerate(numbers, start=1) if number), len(numbers))
    lowest = (*numbers, 0, 0)[:3]
    found = version.to_tuple()[:3]
    return found >= lowest and found[:fixed] == lowest[:fixed]
