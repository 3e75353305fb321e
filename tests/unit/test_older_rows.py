"""Which rows that models learn from are like tests of older versions, held against trying every pair of rows."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from registry.describe.leakage import Leakage
from registry.describe.manifest import write_manifest
from registry.describe.metadata import metadata_of
from registry.describe.near_rows import Rows
from registry.release.older_tests import OlderTests
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady

DIGITS = 3
SCHEMA = pa.schema([("id", pa.string()), ("x", pa.float64())])
COLUMNS = {"id": {"dtype": "string"}, "x": {"dtype": "float64"}}
VALUES = [1.0, 1.0001, 1.0002, 2.0, 2.0001, 3.0, 4.0]
"""Of which some are near others."""
SPLITS = ("train", "test", "val")


def state(root, number, rows):
    """A state of these rows (split, value): its table for each split, its manifest and what describes it."""
    folder = root / f"{number}" / "data" / "some"
    dataset = {
        "name": "some",
        "source": "generated",
        "params": {},
        "about": {"title": "Some", "description": "Some.", "license": "Apache-2.0"},
        "contract": {"columns": COLUMNS, "rows": {"generated": {split: {"min": 0} for split in SPLITS}}},
    }
    (folder / "processed").mkdir(parents=True)
    leaks = Leakage({}, {})
    with write_manifest(folder / "manifest.parquet", dataset, SCHEMA) as manifest:
        for split in SPLITS:
            its = [{"id": f"{place}", "x": value} for place, (where, value) in enumerate(rows) if where == split]
            batch = pa.RecordBatch.from_pylist(its, SCHEMA)
            (folder / "processed" / split).mkdir()
            pl.DataFrame(batch).write_parquet(folder / "processed" / split / "table.parquet", row_group_size=2)
            manifest.add(split, batch, inputs=["x"], keys=batch["id"])
            leaks.add(split, batch.select(["x"]), batch["id"])
    metadata = metadata_of(dataset, manifest, leakage=leaks.figures())
    provenance = {"data": {"path": "processed", "bytes": 100}}
    return Snapshot("some", f"some-v{number}", metadata, provenance, {}).in_tree(folder.parents[1])


def expected(learnt, tests):
    """The rows that are like one of the tests, by their keys: of which the input is the same, and others."""
    values = [value for _, value in learnt] + [value for _, value in tests]
    finder = Rows(DIGITS)
    finder.add(pa.record_batch([pa.array(values, pa.float64())], names=["x"]))
    everything = finder.pairs(np.arange(len(values)), len(values), lambda i, j: np.ones(len(i), bool))
    pairs = {pair for i, j, _ in everything for pair in zip(i.tolist(), j.tolist(), strict=True)}
    same = {key for key, value in learnt if value in {value for _, value in tests}}
    near = {
        key
        for place, (key, _) in enumerate(learnt)
        for other in range(len(learnt), len(values))
        if {(place, other), (other, place)} & pairs
    }
    return same, near | same


rows = st.lists(st.tuples(st.sampled_from(SPLITS), st.sampled_from(VALUES)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    built=rows,
    history=st.lists(rows, min_size=1, max_size=4),
    tests=st.sampled_from([None, ["test"], ["val", "train"]]),
)
@example(built=[("train", 1.0001)], history=[[("test", 1.0)], [("test", 2.0)]], tests=None)
def test_what_is_found_is_what_trying_every_pair_finds(tmp_path_factory, built, history, tests):
    measured = tests or ["test", "val"]
    assume(any(split not in measured for split, _ in built))
    root = tmp_path_factory.mktemp("states", numbered=True)
    states = [state(root, number, rows) for number, rows in enumerate([*history, built])]
    tested = OlderTests(None, states[-1], [], {"digits": DIGITS} | ({"tests": tests} if tests else {}))
    older = [*reversed([*enumerate(states[:-1])])]
    tested._different = older

    def keyed(rows, *, test):
        return [(f"{place}", value) for place, (split, value) in enumerate(rows) if (split in measured) == test]

    found = dict(tested.alike())
    assert [*found] == [number for number, _ in older]
    for number, rows in found.items():
        same = rows.filter(pl.col("distance").is_null())
        wanted = expected(keyed(built, test=False), keyed(history[number], test=True))
        assert ({*same["key"]}, {*rows["key"]}) == wanted
        assert rows["place"].n_unique() == len(wanted[1])
        assert rows["distance"].to_list() == sorted(rows["distance"], key=lambda one: -1 if one is None else one)


def test_none_is_near_where_that_is_not_asked_or_cannot_be_told(tmp_path):
    states = [state(tmp_path, 0, [("test", 1.0)]), state(tmp_path, 1, [("train", 1.0001), ("train", 1.0)])]

    def found(said, built=states[1]):
        tested = OlderTests(None, built, [], said)
        tested._different = [(0, states[0])]
        return [rows["key"].to_list() for _, rows in tested.alike()]

    assert found({"digits": DIGITS}) == [["1", "0"]]
    assert found({"digits": 6}) == [["1"]]
    assert found({"digits": DIGITS, "near": False}) == [["1"]]
    with pytest.raises(NotReady, match="leakage.tests names no split: tset, vall"):
        found({"tests": ["tset", "test", "vall"]})
    with pytest.raises(
        NotReady, match="no split is one that models learn from, for leakage.older: there are train, test"
    ):
        found({"tests": [*SPLITS]})
    del states[1].metadata["leakage"]
    assert found({"digits": DIGITS}) == [["1"]]
