"""Pixel statistics from a histogram."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.describe.pixels import pixel_statistics


@given(st.lists(st.integers(0, 255), min_size=1, max_size=200))
def test_equals_numpy_on_the_pixels_themselves(pixels):
    found = pixel_statistics(np.bincount(pixels, minlength=256))
    scaled = np.array(pixels) / 255
    assert found["pixel_mean"] == pytest.approx(scaled.mean(), abs=1e-12)
    assert found["pixel_std"] == pytest.approx(scaled.std(), abs=1e-7)
    assert found["pixel_min"] == scaled.min()
    assert found["pixel_max"] == scaled.max()
    assert found["pixel_median"] == pytest.approx(np.median(scaled), abs=1e-12)


def test_one_value_everywhere_has_no_deviation():
    histogram = [0] * 256
    histogram[255] = 10**12
    assert pixel_statistics(histogram) == {
        "pixel_mean": 1.0,
        "pixel_std": 0.0,
        "pixel_min": 1.0,
        "pixel_max": 1.0,
        "pixel_median": 1.0,
    }
