"""The profile: what is measured of columns of every type, the same whatever the order and the batches of the rows."""

import datetime as dt
import io
import json
import math
from collections import Counter
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from registry.compare.drift import on_grid
from registry.config.schema import breaches
from registry.describe.encoded import picture_measures
from registry.describe.histogram import BINS, histogram, quantiles
from registry.describe.measures import vector_measures
from registry.describe.metadata import PROFILE
from registry.describe.profile import Profile
from registry.describe.sampled import Kept

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
VALUES = st.lists(FLOATS, min_size=1).map(lambda it: np.array(it) + 0.0) | st.lists(INTEGERS, min_size=1).map(np.array)
TURN = pa.struct([("role", pa.string()), ("content", pa.string())])
NOON = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
COLUMNS = {
    "integer": (pa.int16(), [-3, 4, None, 9], {"rows", "value"}),
    "large": (pa.uint64(), [2**63, 2**64 - 1, None, 7], {"rows", "value"}),
    "half": (pa.float16(), [0.5, -0.0, None, 2.0], {"rows", "value"}),
    "decimal": (pa.decimal128(5, 2), [Decimal("1.25"), Decimal(3), None, Decimal(-4)], {"rows", "value"}),
    "flag": (pa.bool_(), [True, False, None, True], {"rows", "classes"}),
    "label": (pa.dictionary(pa.int8(), pa.string()), ["a", "b", "a", "b"], {"rows", "classes", "characters"}),
    "view": (pa.string_view(), ["a", "bc", None, ""], {"rows", "characters"}),
    "day": (pa.date32(), [dt.date(1969, 12, 31), dt.date(2026, 1, 1), None, dt.date(1970, 1, 1)], {"rows", "time"}),
    "moment": (pa.timestamp("ns", "UTC"), [NOON, NOON + dt.timedelta(1), None, NOON], {"rows", "time"}),
    "clock": (pa.time32("s"), [dt.time(1), dt.time(2), None, dt.time(3)], {"rows", "time"}),
    "span": (pa.duration("ms"), [dt.timedelta(1), dt.timedelta(2), None, dt.timedelta(3)], {"rows", "time"}),
    "list": (pa.list_(pa.int8()), [[1], [], None, [1, 2]], {"rows", "items"}),
    "chat": (pa.list_(TURN), [[], [{"role": "user", "content": "hi"}], None, []], {"rows", "items", "characters"}),
    "data": (pa.binary(), [b"", b"abc", None, b"a"], {"rows", "bytes"}),
    "picture": (pa.list_(pa.list_(pa.uint8(), 2), 1), [[[0, 255]], [[1, 1]], None, [[9, 9]]], {"rows", "brightness"}),
    "vector": (pa.list_(pa.float32(), 2), [[3, 4], [0, 1], None, [0, 0]], {"rows", "norm", "similarity"}),
    "struct": (pa.struct([("x", pa.int8())]), [{"x": 1}, {"x": 2}, None, None], {"rows"}),
    "nothing": (pa.null(), [None] * 4, {"rows"}),
}
SCHEMA = pa.schema([(name, dtype) for name, (dtype, _, _) in COLUMNS.items()])
BATCH = pa.record_batch([pa.array(values, dtype) for dtype, values, _ in COLUMNS.values()], schema=SCHEMA)
HEADS = np.array([40, 10, 30, 20], np.uint64)


def profiled(batch, heads, *sizes, schema=SCHEMA):
    """Return the profile of a batch that is added in parts of these sizes."""
    profile, start = Profile(schema), 0
    for size in (*sizes, batch.num_rows):
        profile.add("train", batch.slice(start, size), heads[start : start + size])
        start += size
    return profile.figures()


@given(VALUES)
def test_bins_hold_their_values_and_are_few(values):
    ordered = np.sort(values)
    found = histogram(ordered)
    assert len(found["counts"]) <= BINS
    assert found["below"] + sum(found["counts"]) + found["above"] == len(values)
    assert max(found["below"], found["above"]) <= len(values) // 1000 + 1
    width = 2.0 ** found["power"]
    inside = ordered[found["below"] : len(ordered) - found["above"]].tolist()
    counted = Counter(
        math.floor(value / width) if isinstance(value, float) else value >> found["power"] for value in inside
    )
    assert counted == {found["first"] + place: count for place, count in enumerate(found["counts"]) if count}


@given(VALUES, st.integers(0, 70))
def test_bins_nest(values, coarser):
    """Those of a coarser grid are the sums of those of a finer one: no value is counted elsewhere."""
    found = histogram(np.sort(values))
    power = found["power"] + coarser
    first, last = found["first"], found["first"] + len(found["counts"]) - 1
    numbers = [
        math.floor(math.ldexp(value, -found["power"])) if isinstance(value, float) else value >> found["power"]
        for value in values.tolist()
        if abs(value) < 2.0**1000
    ]
    clipped = Counter(min(max(number, first - 1), last + 1) >> coarser for number in numbers)
    if len(numbers) == len(values):
        assert on_grid(found, power) == clipped


def test_no_smaller_bins_would_do():
    found = histogram(np.arange(1000))
    assert (found["power"], found["first"], len(found["counts"])) == (4, 0, 63)
    assert histogram(np.arange(64))["power"] == 0
    assert histogram(np.arange(64) / 64)["power"] == -6
    assert histogram(np.full(3, 0.1))["counts"] == [3]
    assert histogram(np.zeros(3)) == {"power": 0, "first": 0, "counts": [3], "below": 0, "above": 0}


def test_what_lies_far_out_makes_no_bins():
    ordered = np.sort(np.concatenate([np.arange(5000.0), [-1e300, 1e300]]))
    found = histogram(ordered)
    assert (found["below"], found["above"], found["power"]) == (1, 1, 7)


@pytest.mark.parametrize("name", COLUMNS)
def test_every_type_has_its_measures(name):
    found = profiled(BATCH, HEADS)[name]
    assert found.keys() == COLUMNS[name][2]
    missing = COLUMNS[name][1].count(None)
    assert found["rows"]["train"].items() >= {"count": 4 - missing, "missing": missing}.items()


def test_measures_are_those_of_the_values():
    found = profiled(BATCH, HEADS)
    values = {
        name: [entry["train"]["quantiles"][end] for end in ("min", "50", "max")]
        for name, measures in found.items()
        for what, entry in measures.items()
        if what not in ("rows", "classes", "similarity") and name != "chat"
    }
    day, second = 86_400_000_000, 1_000_000
    noon = int(NOON.timestamp()) * second
    assert values == {
        "integer": [-3, 4, 9],
        "large": [7.0, 2.0**63, 2.0**64],
        "half": [0.0, 0.5, 2.0],
        "decimal": [-4.0, 1.25, 3.0],
        "label": [1, 1, 1],
        "view": [0, 1, 2],
        "day": [-1, 0, 20454],
        "moment": [noon, noon, noon + day],
        "clock": [3600 * second, 7200 * second, 10_800 * second],
        "span": [day, 2 * day, 3 * day],
        "list": [0, 1, 2],
        "data": [0, 1, 3],
        "picture": [1.0, 9.0, 127.5],
        "vector": [0.0, 1.0, 5.0],
    }
    assert found["chat"]["characters"]["train"]["quantiles"]["max"] == 2
    assert found["label"]["classes"]["train"] == {"count": 4, "values": {"a": 2, "b": 2}, "others": 0}
    assert found["flag"]["classes"]["train"]["values"] == {"true": 2, "false": 1}
    assert found["day"]["time"]["train"]["unit"] == "day"
    assert found["view"]["rows"]["train"]["distinct"] == 3


def test_metadata_takes_every_profile():
    assert breaches(profiled(BATCH, HEADS), PROFILE) == []


@given(st.permutations(range(40)), st.lists(st.integers(0, 20), max_size=5), st.booleans())
def test_neither_order_nor_batches_show(order, sizes, few):
    random = np.random.default_rng(0)
    rows = BATCH.to_pylist() * 10
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    heads = random.integers(0, 2**64, 40, dtype=np.uint64)
    with pytest.MonkeyPatch.context() as patch:
        if few:
            patch.setattr("registry.describe.profile.ROWS", 10)
            patch.setattr("registry.describe.profile.SOME", 6)
        whole = profiled(batch, heads)
        assert (whole["list"]["items"]["train"].get("sampled") is not None) == few
        moved = pa.RecordBatch.from_pylist([rows[place] for place in order], schema=SCHEMA)
        assert profiled(moved, heads[list(order)], *sizes) == whole


def test_there_is_no_minus_zero():
    found = [
        profiled(pa.record_batch({"x": values}), HEADS[:2], schema=pa.schema([("x", pa.float64())]))
        for values in ([0.0, -0.0], [-0.0, 0.0])
    ]
    assert json.dumps(found[0]) == json.dumps(found[1])
    assert "-0.0" not in json.dumps(found)


@given(st.lists(st.lists(st.integers(0, 50), max_size=30)), st.integers(1, 10))
def test_the_rows_with_the_lowest_ids_are_kept(batches, limit):
    kept = Kept(limit)
    for batch in batches:
        heads = np.array(batch, np.uint64)
        wanted = kept.wanted(heads)
        heads = heads if wanted is None else heads[wanted]
        kept.add(heads, {"it": heads})
    if batches:
        assert sorted(kept.take("it").tolist()) == sorted(sum(batches, []))[:limit]


@given(st.lists(st.integers(-100, 100) | FLOATS, min_size=1, max_size=50).map(lambda it: np.sort(np.array(it, float))))
def test_quantiles_are_values_of_which_so_many_are_no_larger(ordered):
    for name, value in quantiles(ordered).items():
        percent = {"min": 0, "max": 100}.get(name) if name in ("min", "max") else int(name)
        assert (ordered <= value).sum() * 100 >= percent * (len(ordered) - 1)
        assert (ordered < value).sum() * 100 <= percent * (len(ordered) - 1)


def test_outliers_are_beyond_the_fences_and_their_rows_are_known():
    values = [*range(100), 1000, None, -700, 2000]
    schema = pa.schema([("x", pa.int64())])
    profile = Profile(schema)
    profile.add("val", pa.record_batch([pa.array(values)], schema=schema), np.arange(104, dtype=np.uint64))
    assert profile.figures()["x"]["value"]["val"]["outliers"] == 3
    assert profile.examples == {("val", "x", "missing"): [101], ("val", "x", "value"): [103, 100, 102]}


def test_encoded_pictures_are_measured_if_they_decode():
    data = io.BytesIO()
    Image.new("RGB", (30, 20), (100, 100, 100)).save(data, "JPEG")
    schema = pa.schema([("image", pa.binary())])
    profile = Profile(schema, pictures={"image": picture_measures})
    rows = pa.record_batch([pa.array([data.getvalue(), b"none", None])], schema=schema)
    profile.add("train", rows, np.arange(3, dtype=np.uint64))
    found = profile.figures()["image"]
    assert [found[what]["train"]["quantiles"]["50"] for what in ("width", "height", "brightness")] == [30, 20, 100.0]
    assert found["width"]["train"]["sampled"] == 1
    assert found["bytes"]["train"]["count"] == 2


def test_vectors_are_compared_with_their_mean():
    vectors = np.random.default_rng(3).normal(1, 1, (200, 16)).astype(np.float32)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    mean = units.mean(axis=0)
    found = vector_measures(vectors)
    assert found["norm"] == pytest.approx(np.linalg.norm(vectors, axis=1), rel=1e-3)
    assert found["similarity"] == pytest.approx(units @ mean / np.linalg.norm(mean), abs=1e-3)
    assert set(vector_measures(units)["norm"]) == {1.0}


def test_many_values_and_long_ones_are_no_classes(monkeypatch):
    columns = {
        "many": [f"{n}" for n in range(1500)] * 2,
        "long": ["x" * 101] * 3000,
        "some": [f"{n % 60}" for n in range(3000)],
    }
    batch = pa.record_batch(columns)
    found = profiled(batch, np.arange(3000, dtype=np.uint64), 1000, schema=batch.schema)
    assert "classes" not in found["many"] and "classes" not in found["long"]
    entry = found["some"]["classes"]["train"]
    assert (len(entry["values"]), entry["others"]) == (60, 0)
    # Where there is no room for all names, those that most rows have stay.
    monkeypatch.setattr("registry.describe.profile.NAMES", 59)
    shorter = profiled(batch, np.arange(3000, dtype=np.uint64), 1000, schema=batch.schema)["some"]["classes"]["train"]
    assert (len(shorter["values"]), shorter["others"]) == (50, 500)
    assert shorter["values"].items() <= entry["values"].items()


def test_so_many_columns_and_splits_are_told_of(monkeypatch):
    schema = pa.schema([(f"x{number}", pa.int8()) for number in range(300)])
    batch = pa.record_batch([pa.array([1, 2], pa.int8())] * 300, schema=schema)
    assert list(profiled(batch, HEADS[:2], schema=schema)) == [f"x{number}" for number in range(200)]
    monkeypatch.setattr("registry.describe.profile.ENTRIES", 7)
    assert list(profiled(batch, HEADS[:2], schema=schema)) == ["x0", "x1", "x2"]
