from collections.abc import Callable, Iterator
import numpy as np
Wanted = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Tells of pairs (i, j) of rows, as a bool array, which would add to what is known."""
Pairs = Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Arrays (i, j, distance) of near-duplicates."""
