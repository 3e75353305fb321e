"""Summary statistics of numbers, the same to the last bit on every machine."""

import statistics
from collections.abc import Sequence


def summarise(values: Sequence[float], prefix: str = "") -> dict[str, float]:
    """Return mean, std, min, max and median of at least one number, each key with `prefix` before it.

    The mean is correctly rounded, the standard deviation is the sample's (n - 1; 0 for one value), and the sums behind
    both are exact (Python's `statistics`), so that neither order, threads nor vector units move a digit.
    """
    result = {
        "mean": statistics.fmean(values),
        "std": statistics.stdev(values) if len(values) > 1 else 0.0,
        "min": min(values),
        "max": max(values),
        "median": statistics.median(values),
    }
    return {f"{prefix}{name}": value for name, value in result.items()}
