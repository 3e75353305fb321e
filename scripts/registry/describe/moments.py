"""The mean and the deviation of numbers from exact sums, so that neither order, threads nor batches move a digit.

Python's `statistics` has the same digits, and adds one number at a time. Here the numbers of a batch are taken apart
into exponents and integers of 53 bits, and these into limbs of 18: sums of limbs and of their products, for each
exponent, are integers below 2**53, which float64 adds without rounding.
"""

import math
import sys
from collections import Counter
from fractions import Fraction

import numpy as np

MANTISSA = sys.float_info.mant_dig
LIMB = 18
BATCH = 1 << 16
"""Numbers that are added at once: products of two limbs have 36 bits, and so many of them 52."""


class Moments:
    """Sums of finite numbers and of their squares, by exponent, and how many there are."""

    def __init__(self) -> None:
        self.count = 0
        self._sums: Counter[int] = Counter()
        self._squares: Counter[int] = Counter()

    def add(self, values: np.ndarray) -> None:
        """Add an array of finite floats, or of integers of at most 53 bits."""
        self.count += len(values)
        for start in range(0, len(values), BATCH):
            self._add(values[start : start + BATCH])

    def _add(self, values: np.ndarray) -> None:
        # Of small types, integers of 8 bits among them, numpy's mantissas have no room for an integer of 53 bits.
        mantissas, exponents = np.frexp(values.astype(np.float64))
        signs, whole = np.sign(mantissas), np.abs(mantissas * (1 << MANTISSA)).astype(np.int64)
        low, middle, high = ((whole >> (LIMB * limb) & (1 << LIMB) - 1).astype(np.float64) for limb in range(3))
        first = int(exponents.min())
        places = exponents - first

        def totals(*limbs: np.ndarray) -> list[int]:
            """Return, by exponent, the sum of numbers whose limbs these are, the lowest first."""
            by_limb = [[int(total) for total in np.bincount(places, limb)] for limb in limbs]
            return [sum(n << LIMB * limb for limb, n in enumerate(of_one)) for of_one in zip(*by_limb, strict=True)]

        sums = totals(signs * low, signs * middle, signs * high)
        squares = totals(low * low, 2 * low * middle, 2 * low * high + middle * middle, 2 * middle * high, high * high)
        for place in np.flatnonzero(np.bincount(places)).tolist():
            self._sums[first + place] += sums[place]
            self._squares[first + place] += squares[place]

    @property
    def _total(self) -> Fraction:
        return sum((n * Fraction(2) ** (e - MANTISSA) for e, n in self._sums.items()), Fraction())

    def mean(self) -> float:
        """Return the sum, rounded once, by the number of numbers."""
        return float(self._total) / self.count

    def std(self) -> float:
        """Return the standard deviation of a sample (n - 1), rounded once; 0 for one number."""
        if self.count == 1:
            return 0.0
        squares = sum((n * Fraction(4) ** (e - MANTISSA) for e, n in self._squares.items()), Fraction())
        return square_root((squares - self._total**2 / self.count) / (self.count - 1))


def square_root(value: Fraction) -> float:
    """Return the root of a fraction, correctly rounded, as `statistics.stdev` of Python has it since 3.11."""
    top, bottom = value.numerator, value.denominator
    if not top:
        return 0.0
    shift = (top.bit_length() - bottom.bit_length() - (2 * MANTISSA + 3)) // 2
    if shift >= 0:
        return float(_root_to_odd(top, bottom << 2 * shift) << shift)
    return _root_to_odd(top << -2 * shift, bottom) / (1 << -shift)


def _root_to_odd(top: int, bottom: int) -> int:
    """Return the root of a fraction as an integer, which is odd where it is not exact."""
    root = math.isqrt(top // bottom)
    return root | (root * root * bottom != top)
