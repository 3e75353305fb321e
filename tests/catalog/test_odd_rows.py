"""Values of rows as pages show them, whatever is in the data of somebody else."""

import json

import numpy as np
import pyarrow as pa
import pytest

from hostile_values import picture
from registry.catalog.values import MAX_ITEMS, Values, _spelt

TURN = pa.struct([("role", pa.string()), ("content", pa.string())])
NO_PICTURE = {"note": "a picture that cannot be shown"}


def spelt(values: list, dtype: pa.DataType) -> list:
    """Return values as a page shows them, which are JSON."""
    return json.loads(json.dumps(_spelt(pa.array(values, dtype), pa.field("column", dtype), Values().pictures)))


def test_turns_that_are_missing():
    turns = [[None, {"role": "user", "content": None}, {"role": None, "content": "x"}], None, []]
    assert spelt(turns, pa.list_(TURN)) == [
        {"messages": [[None, None], ["user", None], [None, "x"]]},
        None,
        {"messages": []},
    ]


@pytest.mark.parametrize(
    ("pixels", "sides"),
    [
        ([[1, None], [3, 4]], (2, 2)),
        ([None, [3, 4]], (2, 2)),
        ([[], []], (2, 0)),
        ([], (0, 2)),
    ],
)
def test_pixels_that_are_missing(pixels, sides):
    dtype = pa.list_(pa.list_(pa.uint8(), sides[1]), sides[0])
    assert spelt([pixels, None], dtype) == [NO_PICTURE, None]


def test_pictures_that_are_none():
    dtype = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    values = [{"bytes": one, "path": "../x"} for one in (None, b"", b"x", picture(1)[:60], picture(1))]
    *odd, whole = spelt([*values, None], dtype)[:5]
    assert odd == [NO_PICTURE] * 4
    assert (whole["width"], whole["height"]) == (81, 60)


def test_numbers_that_javascript_has_not():
    assert spelt([2**53, -(2**53), 2**53 - 1, None], pa.int64()) == [str(2**53), str(-(2**53)), 2**53 - 1, None]
    assert spelt([float("nan"), float("-inf"), 0.5], pa.float32()) == ["nan", "-inf", 0.5]
    many = spelt([np.arange(9) * 2**53], pa.list_(pa.int64()))[0]
    assert (len(many["numbers"]), many["numbers"][:2], many["of"]) == (MAX_ITEMS, [0, str(2**53)], 9)
