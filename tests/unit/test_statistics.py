"""Mean, deviation, extremes and median."""

import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.describe import moments
from registry.describe.statistics import summarise
from support import examples


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=100))
def test_equals_numpy_and_ignores_the_order(values):
    found = summarise(values)
    assert found["mean"] == pytest.approx(np.mean(values), abs=1e-6)
    assert found["std"] == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    assert (found["min"], found["max"]) == (min(values), max(values))
    assert found["median"] == pytest.approx(np.median(values), abs=1e-6)
    assert summarise(random.Random(0).sample(values, len(values))) == found


NUMBERS = st.one_of(
    st.floats(-1e100, 1e100), st.integers(-(2**53), 2**53).map(float), st.sampled_from([5e-324, 1e-310, -0.0, 1e-160])
)


@settings(max_examples=examples(100))
@given(st.lists(NUMBERS, min_size=2, max_size=60), st.integers(1, 5))
def test_every_digit_is_that_of_exact_sums(values, batch):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moments, "BATCH", batch)
        found = summarise(values)
    assert (found["mean"], found["std"]) == (statistics.fmean(values), statistics.stdev(values))


def test_a_whole_batch_of_the_longest_numbers_is_added_without_rounding():
    values = np.full(moments.BATCH, 1 - 2**-53)
    assert (summarise(values)["mean"], summarise(values)["std"]) == (1 - 2**-53, 0)
    values[::2] *= -1
    assert summarise(values)["std"] == statistics.stdev(values.tolist())


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32", "int64", "float16", "float32", "float64"])
def test_numbers_of_every_type_have_the_same_mean_and_deviation(dtype):
    values = [100, 7, 9, 0, 127, 64]
    found = summarise(np.array(values, dtype))
    assert (found["mean"], found["std"]) == (statistics.fmean(values), statistics.stdev(values))


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=20))
def test_integers_stay_what_they_are(values):
    found = summarise(values)
    for name, expected in (("min", min(values)), ("max", max(values)), ("median", statistics.median(values))):
        assert (found[name], type(found[name])) == (expected, type(expected))


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
