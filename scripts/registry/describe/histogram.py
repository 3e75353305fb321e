"""Histograms whose bins nest, so that those of any two versions can be brought to one grid, and quantiles.

A bin is 2**power wide, and its edges are whole multiples of that: bin number n holds what is at least n * 2**power and
less than (n + 1) * 2**power. Two bins of one power are a bin of the next, so counts of a finer grid become those of a
coarser one by adding up. Widths and edges are exact, and all else is counted: no digit depends on order or machine.
"""

import math
from typing import Any

import numpy as np

BINS = 64
"""Bins between the lowest and the highest 0.1 % of the values, at most; what is outside is `below` and `above`."""
FINEST = 20
"""Bits: the share of the largest of these values that a bin is wide at least is 2**-20."""
PERCENT = {"min": 0, "1": 1, "5": 5, "25": 25, "50": 50, "75": 75, "95": 95, "99": 99, "max": 100}


def quantiles(ordered: np.ndarray) -> dict[str, int | float]:
    """Return, of sorted values (at least one), for each percentage the largest of so many: values that occur."""
    last = len(ordered) - 1
    return {name: ordered[last * percent // 100].item() for name, percent in PERCENT.items()}


def histogram(ordered: np.ndarray) -> dict[str, Any]:
    """Return the histogram of sorted integers, or of sorted finite float64, of which there is at least one.

    `power` is the smallest that needs no more than BINS (at least 0 for integers), `first` the number of the first bin,
    `counts` are those of the bins from there on, `below` and `above` count what is outside.
    """
    last = len(ordered) - 1
    low, high = ordered[last // 1000].item(), ordered[last - last // 1000].item()
    power = _power(low, high)
    numbers = _bins(ordered, power)
    first, end = (int(_bins(ordered.dtype.type(value), power)) for value in (low, high))
    start, stop = np.searchsorted(numbers, first), np.searchsorted(numbers, end, side="right")
    inside = (numbers[start:stop] - numbers.dtype.type(first)).astype(np.int64)
    return {
        "power": power,
        "first": first,
        "counts": np.bincount(inside, minlength=end - first + 1).tolist(),
        "below": int(start),
        "above": int(len(ordered) - stop),
    }


def _power(low: float, high: float) -> int:
    """Return the smallest power of a grid that has both values in BINS bins."""
    if isinstance(low, int):
        power = 0
        while (high >> power) - (low >> power) >= BINS:
            power += 1
        return power
    finest = math.frexp(max(abs(low), abs(high)))[1] - FINEST if low or high else 0
    # Halved, since the difference of two large numbers may be none.
    power = max(finest, math.frexp(high / 2 - low / 2)[1] - BINS.bit_length()) if high > low else finest
    while math.floor(math.ldexp(high, -power)) - math.floor(math.ldexp(low, -power)) >= BINS:
        power += 1
    return power


def _bins(values: Any, power: int) -> Any:
    """Return the number of the bin of each value; floats, of which the farthest may be infinite, have it as floats."""
    if np.issubdtype(values.dtype, np.integer):
        return values >> power
    with np.errstate(over="ignore"):
        return np.floor(np.ldexp(values, -power))
