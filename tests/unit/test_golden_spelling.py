"""The bytes that values have had since the first release: ids and content hashes of released versions rest on them."""

import hashlib
import math

import pyarrow as pa
import pytest

from registry.describe.canonical import canonical, data_of, row_digests
from registry.describe.logical import logical_type

PICTURE = pa.list_(pa.list_(pa.uint8(), 2), 3)
COLUMNS = {
    "bool": pa.array([True, False, None]),
    "int8": pa.array([-128, 127, None], pa.int8()),
    "uint8": pa.array([0, 255, None], pa.uint8()),
    "int16": pa.array([-(2**15), 2**15 - 1, None], pa.int16()),
    "uint16": pa.array([0, 2**16 - 1, None], pa.uint16()),
    "int32": pa.array([-(2**31), 2**31 - 1, None], pa.int32()),
    "uint32": pa.array([0, 2**32 - 1, None], pa.uint32()),
    "int64": pa.array([-(2**63), 2**63 - 1, None]),
    "uint64": pa.array([0, 2**63 - 1, None], pa.uint64()),
    "float16": pa.array([-0.0, math.nan, None], pa.float16()),
    "float32": pa.array([0.1, math.inf, None], pa.float32()),
    "float64": pa.array([0.1, -math.inf, None]),
    "string": pa.array(["", "Grüße, 世界", None]),
    "dictionary": pa.array(["", "Grüße, 世界", None]).dictionary_encode(),
    "binary": pa.array([b"", b"\x00\xff", None]),
    "picture": pa.array([[[1, 2], [3, 4], [5, 6]], [[0, 0], [0, 0], [0, 255]], None], PICTURE),
}
GOLDEN = {
    "bool": ("bool", "22b4a943a4046fe5"),
    "int8": ("int8", "50f88590b33e92a1"),
    "uint8": ("uint8", "da9d22d2b8777897"),
    "int16": ("int16", "237ec302f71de5d9"),
    "uint16": ("uint16", "99741330cc7544d7"),
    "int32": ("int32", "e45ce04d3d51e44d"),
    "uint32": ("uint32", "5c2d5996ab199054"),
    "int64": ("int64", "5d7f4a60dc06e208"),
    "uint64": ("uint64", "5ba7af15256f9160"),
    "float16": ("float16", "6b405f7b0190f20c"),
    "float32": ("float32", "7bb885c178e56d65"),
    "float64": ("float64", "1ca29a9d2974a148"),
    "string": ("string", "774944d2c863405c"),
    "dictionary": ("string", "774944d2c863405c"),
    "binary": ("binary", "2ff7527724212adc"),
    "picture": ("fixed_size_list<fixed_size_list<uint8>[2]>[3]", "703cad05dacc2b5a"),
}
"""The logical type of each column, and how the SHA-256 of its values begins."""


@pytest.mark.parametrize("name", COLUMNS)
def test_values_keep_their_bytes_and_types_their_names(name):
    column = COLUMNS[name]
    found = hashlib.sha256(data_of(canonical(column))).hexdigest()[:16]
    assert (logical_type(column.type), found) == GOLDEN[name]


def test_rows_keep_their_ids():
    ids = row_digests([canonical(column) for column in COLUMNS.values()], 16)
    assert (
        ids.hex() == "00dc4064afeebee07900665353e21d43804e175e1fb198cecb9ab5bf8c7774c2c37981c132b7a7d5bea887a29284ea4c"
    )
