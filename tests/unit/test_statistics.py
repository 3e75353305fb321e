"""Mean, deviation, extremes and median."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.describe.statistics import summarise


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=100))
def test_equals_numpy_and_ignores_the_order(values):
    found = summarise(values)
    assert found["mean"] == pytest.approx(np.mean(values), abs=1e-6)
    assert found["std"] == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    assert (found["min"], found["max"]) == (min(values), max(values))
    assert found["median"] == pytest.approx(np.median(values), abs=1e-6)
    assert summarise(random.Random(0).sample(values, len(values))) == found


def test_one_value_has_no_deviation():
    assert summarise([7], "length_") == {
        "length_mean": 7,
        "length_std": 0,
        "length_min": 7,
        "length_max": 7,
        "length_median": 7,
    }


def test_large_and_close_values_keep_their_deviation():
    assert summarise([1e9 + 1, 1e9 + 2, 1e9 + 3])["std"] == 1
