"""Exact statistics of pixels from their histogram."""

import math
from collections.abc import Sequence
from fractions import Fraction

WHITE = 255


def pixel_statistics(histogram: Sequence[int]) -> dict[str, float]:
    """Return pixel_mean, pixel_std (of the population), pixel_min, pixel_max and pixel_median, divided by 255.

    `histogram` counts the pixels of each value 0..255, at least one in all. Sums are exact integers, so the result does
    not depend on the order of the pixels; only the last division and root are rounded.
    """
    counts = [int(count) for count in histogram]
    total = sum(counts)
    mean = Fraction(sum(value * count for value, count in enumerate(counts)), total)
    square = Fraction(sum(value * value * count for value, count in enumerate(counts)), total)
    present = [value for value, count in enumerate(counts) if count]
    return {
        "pixel_mean": float(mean / WHITE),
        "pixel_std": math.sqrt((square - mean * mean) / WHITE**2),
        "pixel_min": present[0] / WHITE,
        "pixel_max": present[-1] / WHITE,
        "pixel_median": (_at(counts, (total - 1) // 2) + _at(counts, total // 2)) / 2 / WHITE,
    }


def _at(counts: Sequence[int], rank: int) -> int:
    seen = 0
    for value, count in enumerate(counts):
        seen += count
        if seen > rank:
            return value
    raise IndexError(rank)
