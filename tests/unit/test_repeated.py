"""Which ids occur more than once, found in passes over all of them."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.describe import repeated
from registry.describe.repeated import among, repeated_heads

words = st.one_of(st.integers(0, 5), st.integers(0, 2**64 - 1))


def as_array(ids):
    return pa.array([np.array(pair, np.uint64).tobytes() for pair in ids], pa.binary(16))


@given(st.lists(st.tuples(words, words), max_size=60), st.integers(1, 20), st.integers(1, 9))
def test_heads_that_several_ids_have(ids, at_once, part):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeated, "AT_ONCE", at_once)
        array = as_array(ids)
        found = [
            heads.tolist()
            for heads in repeated_heads(
                lambda: (array.slice(start, part) for start in range(0, len(array), part)), len(array)
            )
        ]
    assert all(heads == sorted(set(heads)) for heads in found)
    times = Counter(head for head, _ in ids)
    assert sorted(head for heads in found for head in heads) == sorted(head for head, n in times.items() if n > 1)


def test_among_heads():
    ids = as_array([(1, 0), (2, 0), (9, 0), (2, 7)])
    assert among(ids, np.array([0, 2], np.uint64)).tolist() == [False, True, False, True]
    assert among(ids.slice(2), np.array([9], np.uint64)).tolist() == [True, False]
