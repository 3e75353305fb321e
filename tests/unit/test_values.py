"""Old and new values of rows that changed, as the tables of both states have them."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_manifests import state

from registry.compare import values
from registry.compare.diff import diff
from registry.compare.values import READERS, changed_rows
from registry.errors import RegistryError
from registry.storage.damage import MissingDataError
from support import examples

KINDS = {
    "parquet": lambda table, path: pq.write_table(table, path, row_group_size=2),
    "csv": lambda table, path: pl.from_arrow(table).write_csv(path),
    "json": lambda table, path: path.write_text(json.dumps(table.to_pylist())),
}


def built(folder, splits, kind="parquet", files=1):
    """A state of a dataset with these {split: table} in files of a kind, its rows named by their places."""
    pairs = {
        split: ([(f"{split}:{place}",) for place in range(table.num_rows)], table) for split, table in splits.items()
    }
    snapshot = state(folder, pairs, inputs=[next(iter(splits.values())).column_names[0]])
    data = folder / "data" / "things"
    for split, table in splits.items():
        (data / "processed" / split).mkdir(parents=True)
        step = -(-table.num_rows // files)
        for number in range(files):
            path = data / "processed" / split / f"{number}.{kind}"
            KINDS[kind](table.slice(number * step, step), path)
    snapshot.manifest().rename(data / "manifest.parquet")
    return replace(snapshot, provenance={"data": {"path": "processed", "md5": str(folder)}}).in_tree(folder)


def changed(old, new, **options):
    """What changed, {key: {column: (old, new)}}."""
    found = changed_rows(old, new, diff(old, new, **options), fetch=True)
    return {row.key: row.values for row in found}


def texts(*values):
    return pa.table({"text": list(values), "n": list(range(len(values)))})


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("files", [1, 3])
def test_only_what_differs_is_told(tmp_path, kind, files):
    old = {"train": texts("a", "b", "c", "d", "e"), "val": texts("x", "y")}
    new = {"train": texts("a", "B", "c", "d", "E, e"), "val": texts("x", 'said "y"')}
    sides = built(tmp_path / "old", old, kind, files), built(tmp_path / "new", new, kind, files)
    assert changed(*sides) == {
        "train:1": {"text": ("b", "B")},
        "train:4": {"text": ("e", "E, e")},
        "val:1": {"text": ("y", 'said "y"')},
    }
    assert list(changed(*sides, examples=1)) == ["train:1", "val:1"]
    assert changed(*sides, examples=0) == {}
    assert changed(sides[0], sides[0]) == {}


def test_rows_are_found_where_they_stand_before_and_after(tmp_path):
    old, new = built(tmp_path / "a", {"all": texts("a", "b", "c")}), texts("new", "a", "b", "C")
    new = built(tmp_path / "b", {"all": new.set_column(1, "n", pa.array([9, 0, 1, 2]))})
    # The rows are named by their places, and "c" stood where "b" stands now.
    assert changed(old, new) == {}
    assert diff(old, new).splits["all"].added == 2


def test_values_of_every_kind(tmp_path):
    def table(number, more, picture):
        return pa.table({"id": ["it"], "f": [number / 3], "more": more, "bytes": [picture]})

    old = built(tmp_path / "old", {"all": table(1, [True], b"12")})
    new = built(tmp_path / "new", {"all": table(2, [False], b"3")})
    assert changed(old, new) == {
        "all:0": {
            "f": (1 / 3, 2 / 3),
            "more": (True, False),
            "bytes": (
                "2 bytes, sha256:6b51d431df5d7f141cbececcf79edf3dd861c3b4069f0b11661a3eefacbba918",
                "1 bytes, sha256:4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce",
            ),
        }
    }


@pytest.mark.parametrize(
    ("dtype", "values", "shown"),
    [
        (pa.date32(), [0, 18_000], ("1970-01-01", "2019-04-14")),
        (pa.time64("ns"), [0, 1], ("00:00:00.000000000", "00:00:00.000000001")),
        (pa.timestamp("us"), [0, 1], ("1970-01-01 00:00:00.000000", "1970-01-01 00:00:00.000001")),
        (pa.timestamp("ns", "UTC"), [0, 1], ("1970-01-01 00:00:00.000000000Z", "1970-01-01 00:00:00.000000001Z")),
        (pa.duration("us"), [5, 6], (5, 6)),
        (pa.decimal128(5, 2), [Decimal("1.5"), Decimal("1.25")], ("1.50", "1.25")),
        (pa.uint64(), [1, 2**64 - 1], (1, 2**64 - 1)),
        (pa.float16(), [0.5, 1.5], (0.5, 1.5)),
        (pa.list_(pa.int32()), [[], [1, 2]], ([], [1, 2])),
        (pa.list_(pa.float32(), 2), [[0.5, 1], [0.5, 2]], ([0.5, 1.0], [0.5, 2.0])),
        (
            pa.list_(pa.struct([("role", pa.string()), ("at", pa.date32())])),
            [[{"role": "user", "at": date(2020, 1, 1)}], [{"role": "you", "at": date(2020, 1, 1)}]],
            ([{"role": "user", "at": "2020-01-01"}], [{"role": "you", "at": "2020-01-01"}]),
        ),
    ],
    ids=str,
)
def test_values_of_every_type_are_such_as_json_has(tmp_path, dtype, values, shown):
    sides = [
        built(tmp_path / name, {"all": pa.table({"id": ["it"], "value": pa.array([value], dtype)})})
        for name, value in zip(("old", "new"), values, strict=True)
    ]
    (row,) = changed_rows(*sides, diff(*sides), fetch=True)
    assert (row.values, row.checked) == ({"value": shown}, True)
    assert json.loads(json.dumps(row.values)) == {"value": list(shown)}


def test_dates_and_decimals_of_a_csv_file_are_told_by_their_types(tmp_path):
    tables = [
        pa.table({"id": ["it"], "day": pa.array([day], pa.date32()), "price": pa.array([price], pa.decimal128(5, 2))})
        for day, price in ((0, Decimal("1.50")), (1, Decimal("1.20")))
    ]
    sides = [built(tmp_path / str(number), {"all": table}, "csv") for number, table in enumerate(tables)]
    (row,) = changed_rows(*sides, diff(*sides), fetch=True)
    assert (row.values, row.checked) == ({"day": ("1970-01-01", "1970-01-02"), "price": ("1.50", "1.20")}, True)


def test_columns_that_came_and_went_are_no_values_and_renamed_ones_have_their_new_name(tmp_path):
    old = pa.table({"text": ["a", "b"], "label": [1, 2], "gone": [0, 0]})
    new = pa.table({"text": ["a", "B"], "class": [1, 2], "came": [1.5, 1.5]})
    assert changed(built(tmp_path / "old", {"all": old}), built(tmp_path / "new", {"all": new})) == {
        "all:1": {"text": ("b", "B")}
    }


def test_records_of_json_are_told_by_their_paths(tmp_path):
    sides = [built(tmp_path / name, {"all": texts(name)}, "json") for name in ("old", "new")]
    for side, turns in zip(sides, (["hello"], ["hello", "you"]), strict=True):
        record = {"turns": [{"says": turn} for turn in turns], "boxes": [1, len(turns)]}
        side.local(side.listed()[0]).write_text(json.dumps([record]))
    assert changed(*sides) == {"all:0": {"turns.1.says": (None, "you"), "boxes": ([1, 1], [1, 2])}}


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_rows_in_another_order_than_the_manifests_are_refused(tmp_path, kind):
    sides = [built(tmp_path / name, {"all": texts("a", "b", name)}, kind) for name in ("old", "new")]
    KINDS[kind](texts("a", "b", "old").take([2, 1, 0]), sides[0].local(sides[0].listed()[0]))
    with pytest.raises(RegistryError, match="the table of all in what is built has its rows in another order"):
        changed(*sides)


@pytest.mark.parametrize("kind", READERS)
def test_a_table_without_one_row_per_sample_is_refused(tmp_path, kind):
    sides = [built(tmp_path / name, {"all": texts("a", name)}, kind) for name in ("old", "new")]
    KINDS[kind](texts("a"), sides[0].local(sides[0].listed()[0]))
    with pytest.raises(RegistryError, match="what is built has no table with one row for each sample of all"):
        changed(*sides)


@pytest.mark.parametrize("kind", READERS)
def test_a_table_that_is_none_is_one_error(tmp_path, kind):
    sides = [built(tmp_path / name, {"all": texts("a", name)}, kind) for name in ("old", "new")]
    sides[1].local(sides[1].listed()[0]).write_bytes(b'"\xff\n"\x00')
    with pytest.raises(RegistryError):
        changed(*sides)


def test_data_without_tables_is_refused_and_data_that_is_not_here_is_told_apart(tmp_path):
    sides = [built(tmp_path / name, {"all": texts(name)}) for name in ("old", "new")]
    found = diff(*sides)
    with pytest.raises(RegistryError, match="has no table"):
        changed_rows(replace(sides[0], listed=lambda fetch: []), sides[1], found, fetch=True)

    def elsewhere(path, fetch=True):
        if path.endswith("manifest.parquet") or fetch:
            return sides[0].local(path)
        raise MissingDataError("not here")

    remote = replace(sides[0], local=elsewhere)
    with pytest.raises(MissingDataError):
        changed_rows(remote, sides[1], found, fetch=False)
    assert len(changed_rows(remote, sides[1], found, fetch=True)) == 1


@settings(max_examples=examples(15))
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8), st.sampled_from([*READERS]))
def test_they_are_what_stood_there(tmp_path_factory, rows, kind):
    old, new = ([(row[side], place) for place, row in enumerate(rows)] for side in (0, 1))
    sides = [
        built(tmp_path_factory.mktemp("state"), {"all": pa.table({"value": values, "place": places})}, kind)
        for values, places in (zip(*side, strict=True) for side in (old, new))
    ]
    assert changed(*sides, examples=100) == {
        f"all:{place}": {"value": (before, after)} for place, (before, after) in enumerate(rows) if before != after
    }


def with_bytes(tmp_path, write, kind="parquet"):
    """Two states, of which the file of the second is what `write` makes of its path."""
    sides = [built(tmp_path / name, {"all": texts("a", name)}, kind) for name in ("old", "new")]
    write(sides[1].local(sides[1].listed()[0]))
    return sides


def lying(path):
    path.write_bytes(path.read_bytes().replace(b"\x16\x04", b"\x16\x08"))


def with_column(values):
    return lambda path: pq.write_table(texts("a", "new").append_column("more", values), path)


@pytest.mark.parametrize(
    ("kind", "write", "message"),
    [
        ("parquet", lying, ""),
        ("parquet", with_column(pa.array([0, 0], pa.timestamp("us", "Nowhere/Nobody"))), "not a sound Parquet"),
        ("parquet", with_column(pa.array(["x", "x" * 600]).dictionary_encode()), "more than 500 bytes"),
        ("csv", lambda path: path.write_bytes("text,n,ü\na,0,1\nnew,1,1\n".encode("latin-1")), "cannot be read"),
        ("csv", lambda path: path.write_bytes(b"text,n\na,0\n" + b"x" * 600 + b",1\n"), "larger than 500 bytes"),
        ("json", lambda path: path.write_text("[" * 400), "cannot be read"),
        ("json", lambda path: path.write_text("{}"), "not a list of records"),
    ],
)
def test_what_cannot_be_read_is_one_error_that_names_the_table(tmp_path, monkeypatch, kind, write, message):
    monkeypatch.setattr(values, "MAX_BYTES", 500)
    with pytest.raises(RegistryError, match=f"(data/things/processed/all/0.{kind}: .*{message}|no table with one row)"):
        changed(*with_bytes(tmp_path, write, kind))


def test_a_cell_of_a_csv_file_may_be_large(tmp_path):
    sides = [built(tmp_path / name, {"all": texts(name * 500_000)}, "csv") for name in ("old", "new")]
    assert [*changed(*sides)["all:0"]] == ["text"]


def test_what_json_nests_keeps_its_place(tmp_path):
    sides = [built(tmp_path / name, {"all": texts(name)}, "json") for name in ("old", "new")]
    for side, record in zip(
        sides, ({"a.b": 1, "a": {"b": 2}, "c": {}}, {"a.b": 2, "a": {"b": 2}, "c": []}), strict=True
    ):
        side.local(side.listed()[0]).write_text(json.dumps([record]))
    assert changed(*sides) == {"all:0": {'"a.b"': (1, 2), "c": ({}, [])}}


def test_numbers_that_json_does_not_have_are_texts(tmp_path):
    sides = [built(tmp_path / name, {"all": texts(name)}, "json") for name in ("old", "new")]
    for side, number in zip(sides, ("NaN", "Infinity"), strict=True):
        side.local(side.listed()[0]).write_text(f'[{{"x": {number}}}]')
    assert changed(*sides) == {"all:0": {"x": ("nan", "inf")}}


@pytest.mark.parametrize(
    ("kind", "computed", "checked"), [("csv", False, True), ("csv", True, False), ("json", False, False)]
)
def test_it_is_told_where_nothing_vouches_for_the_order(tmp_path, kind, computed, checked):
    sides = [built(tmp_path / name, {"all": texts(text)}, kind) for name, text in (("old", "002"), ("new", "02"))]
    for side in sides if computed else ():
        side.metadata["schema"]["features"]["n"]["computed"] = True
    (row,) = changed_rows(*sides, diff(*sides), fetch=True)
    assert row.checked == checked
    assert row.values["text"] == ("002", "02")


def test_each_split_has_tables_of_its_own_kind(tmp_path):
    side = built(tmp_path, {"train": texts("a"), "val": texts("b")})
    files = ["train/b.csv", "train/a.csv", "val/a.parquet", "val/a.csv", "notes.csv"]
    found = side.tables([f"data/things/processed/{file}" for file in files], ["parquet", "csv"])
    assert found == {
        "train": ["data/things/processed/train/a.csv", "data/things/processed/train/b.csv"],
        "val": ["data/things/processed/val/a.parquet"],
    }
