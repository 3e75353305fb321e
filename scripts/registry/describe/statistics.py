"""Summary statistics of numbers, the same to the last bit on every machine."""

from collections.abc import Sequence

import numpy as np

from registry.describe.moments import Moments


def summarise(values: Sequence[float] | np.ndarray, prefix: str = "") -> dict[str, float]:
    """Return mean, std, min, max and median of at least one finite number, each key with `prefix` before it.

    The mean is correctly rounded, the standard deviation is the sample's (n - 1; 0 for one value), and the sums behind
    both are exact: see registry.describe.moments. Of integers, min, max and the median of an odd number are integers.
    """
    ordered = np.sort(values)
    moments, middle = Moments(), len(ordered) // 2
    moments.add(ordered)
    upper, lower = ordered[middle].item(), ordered[middle - 1].item()
    result = {
        "mean": moments.mean(),
        "std": moments.std(),
        "min": ordered[0].item(),
        "max": ordered[-1].item(),
        "median": upper if len(ordered) % 2 else (lower + upper) / 2,
    }
    return {f"{prefix}{name}": value for name, value in result.items()}
