"""The limits in `contract.quality`: from which figure on something is warned of, and from which on it fails."""

from collections.abc import Mapping

FAIL, WARN = "fail", "warn"
LEVELS = (FAIL, WARN)
"""From the worst on."""


def beyond(limits: Mapping[str, float], figure: float) -> tuple[str, float] | None:
    """Return the worst level whose limit a figure is above, with that limit."""
    return next(((level, limits[level]) for level in LEVELS if level in limits and figure > limits[level]), None)
