"""The canonical spelling of values: what it tells apart, and what it does not see."""

import math
from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from registry.describe.canonical import canonical

SHORT_TEXTS = st.lists(st.text(alphabet="as", max_size=3), min_size=2, max_size=2)
"""Made of the tag of text itself, so that two spellings would collide if they had no lengths."""
INT64 = st.integers(-(2**63), 2**63 - 1)
PICTURE = pa.list_(pa.list_(pa.uint8(), 2), 3)
PICTURES = st.lists(st.lists(st.integers(0, 255), min_size=2, max_size=2), min_size=3, max_size=3)
VALUES = {
    "bool": (pa.bool_(), st.booleans()),
    "uint8": (pa.uint8(), st.integers(0, 255)),
    "int64": (pa.int64(), INT64),
    "float64": (pa.float64(), st.floats(allow_nan=False).map(lambda value: value + 0.0)),
    "string": (pa.string(), st.text()),
    "binary": (pa.binary(), st.binary()),
    "picture": (PICTURE, PICTURES),
}
COLUMNS = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.tuples(st.just(VALUES[name][0]), st.lists(st.none() | VALUES[name][1], max_size=12))
)
ONE_TYPE_TWO_ROWS = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.tuples(
        st.just(VALUES[name][0]), *[st.lists(st.none() | VALUES[name][1], min_size=3, max_size=3)] * 2
    )
)


def spelt(column):
    """The canonical bytes of each value."""
    return canonical(column).to_pylist()


@given(ONE_TYPE_TWO_ROWS)
def test_different_rows_of_a_type_have_different_bytes(case):
    dtype, one, other = case
    assume(one != other)
    assert b"".join(spelt(pa.array(one, dtype))) != b"".join(spelt(pa.array(other, dtype)))


@given(SHORT_TEXTS, SHORT_TEXTS)
def test_text_cannot_move_from_one_column_into_the_next(one, other):
    assume(one != other)
    assert b"".join(spelt(pa.array(one))) != b"".join(spelt(pa.array(other)))


@pytest.mark.parametrize("empty", [pa.array([""]), pa.array([b""]), pa.array([0]), pa.array([False]), pa.array([0.0])])
def test_null_is_not_empty(empty):
    assert spelt(empty) != spelt(pa.nulls(1, empty.type)) == [b"n"]


@given(COLUMNS, st.integers(0, 12), st.integers(0, 12))
def test_chunks_and_slices_do_not_matter(case, start, length):
    dtype, values = case
    whole = spelt(pa.array(values, dtype))
    assert len(whole) == len(values)
    assert spelt(pa.array(values, dtype).slice(start, length)) == whole[start : start + length]
    cut = pa.chunked_array([pa.array(values, dtype)[:start], pa.array(values, dtype)[start:]])
    assert list(chain.from_iterable(spelt(chunk) for chunk in cut.chunks)) == whole


@given(COLUMNS, st.integers(0, 3))
def test_dictionary_encoding_does_not_matter(case, start):
    dtype, values = case
    assume(dtype != PICTURE)
    array = pa.array(values, dtype)
    assert spelt(array.dictionary_encode()[start:]) == spelt(array)[start:]


def test_a_null_in_the_dictionary_is_null():
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array(["a", None]))
    assert spelt(array) == spelt(pa.array(["a", None, None]))


@pytest.mark.parametrize("nulls", [[], [None]])
@pytest.mark.parametrize(
    ("values", "types"),
    [
        (["", "ä", "a" * 50], [pa.string(), pa.large_string(), pa.string_view()]),
        ([b"", b"\0\xff", b"a" * 50], [pa.binary(), pa.large_binary(), pa.binary_view()]),
        (
            [0, 1, 127],
            [pa.int8(), pa.uint8(), pa.int16(), pa.uint32(), pa.int64(), pa.uint64()],
        ),
        ([0.0, 0.5, -1.25, math.inf], [pa.float16(), pa.float32(), pa.float64()]),
    ],
)
def test_the_width_of_a_type_does_not_matter(values, types, nulls):
    assert len({tuple(spelt(pa.array(values + nulls, dtype))) for dtype in types}) == 1


@given(st.floats(width=32, allow_nan=False))
def test_what_float32_can_hold_is_the_same_in_float64(value):
    assert spelt(pa.array([value], pa.float32())) == spelt(pa.array([value], pa.float64()))


def test_there_is_one_nan_and_one_zero():
    odd = np.array([0x7FF8000000000001, 0xFFF8000000000000], np.uint64).view(np.float64)
    assert set(spelt(pa.array(odd))) == set(spelt(pa.array([math.nan])))
    assert spelt(pa.array([-0.0])) == spelt(pa.array([0.0]))
    assert spelt(pa.array([math.nan])) != spelt(pa.array([None], pa.float64()))


def test_a_picture_is_its_bytes_with_their_length():
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 3, 2)
    expected = [b"x" + (6).to_bytes(8, "little") + picture.tobytes() for picture in pixels]
    assert spelt(pa.array(pixels.tolist(), PICTURE)) == expected
    assert spelt(pa.array(pixels.tolist() * 3, PICTURE)[3:5]) == [expected[1], expected[0]]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
        pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]),
        pa.array([[(1, 2, 3)]], pa.list_(pa.month_day_nano_interval())),
    ],
    ids=lambda column: str(column.type),
)
def test_what_has_no_canonical_form_is_a_type_error(column):
    with pytest.raises(TypeError, match="canonical form"):
        spelt(column)
