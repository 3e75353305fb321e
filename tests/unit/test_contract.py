"""A dataset's contract: each rule kept and broken, and all breaches told at once."""

import math
import re
from collections import Counter
from datetime import UTC, date, datetime, time
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from registry.config.schema import SCHEMAS
from registry.describe import breaches, repeated
from registry.describe.contract import Contract
from registry.errors import ContractError, RegistryError
from registry.trace.preview import _said
from registry.workflow.failures import FailedJob
from registry.workflow.record import Ending, write_record

PICTURE = pa.list_(pa.list_(pa.uint8(), 3), 2)
AUTHORS = {("authors", "id"): pl.Series([1, 3])}


def contract(columns, *, rows=None, source="samples", **rules):
    spec = {"columns": columns, "rows": {} if rows is None else {source: rows}, **rules}
    return Contract({"name": "dataset", "source": source, "contract": spec}, AUTHORS)


def judge(columns, **arrays):
    """Return the verdict over one batch."""
    judged = contract(columns)
    judged.check("train", pa.record_batch(arrays))
    return judged.conclude()


def check_splits(judged, folder, *rows):
    """Check what a manifest with these (input, split) pairs breaks; its keys are key-0, key-1 and so on."""
    inputs, splits = zip(*rows, strict=True)
    keys = [f"key-{number}" for number in range(len(rows))]
    ids = pa.array([name.encode().ljust(16) for name in inputs], pa.binary(16))
    pq.write_table(pa.table({"input_id": ids, "key": keys, "split": splits}), folder / "manifest.parquet")
    judged.check_splits(Counter(splits), folder / "manifest.parquet")


def judge_splits(folder, *rows, rows_rule=None, **rules):
    judged = contract({"a": {"dtype": "int64"}}, rows=rows_rule, **rules)
    check_splits(judged, folder, *rows)
    return judged.conclude()


# rule: (column, what keeps it, what breaks it, words of the breach)
RULES = {
    "dtype": ({"dtype": "int64"}, pa.array([1]), pa.array([1], pa.int32()), "type int64: found Int32"),
    "shape": (
        {"dtype": "uint8", "shape": [2, 3]},
        pa.array([[[1, 2, 3], [4, 5, 6]]], PICTURE),
        pa.array([[[1, 2], [3, 4], [5, 6]]], pa.list_(pa.list_(pa.uint8(), 2), 3)),
        r"type uint8 of shape \[2, 3\]: found Array\(UInt8, shape=\(3, 2\)\)",
    ),
    "nullable": (
        {"dtype": "string", "nullable": True},
        pa.array(["a", None]),
        pa.array([1, None]),
        "type string: found Int64",
    ),
    "min": (
        {"dtype": "int64", "min": 0},
        pa.array([0, 9]),
        pa.array([-1]),
        "at least 0: found -1 in row 0",
    ),
    "max": ({"dtype": "int64", "max": 9}, pa.array([0, 9]), pa.array([10]), "at most 9: found 10 in row 0"),
    "values": (
        {"dtype": "string", "values": ["a"]},
        pa.array(["a"]),
        pa.array(["b"]),
        r"one of \['a'\]: found 'b' in row 0",
    ),
    "min_length": (
        {"dtype": "string", "min_length": 2},
        pa.array(["ab", "日本"]),
        pa.array(["", "日"]),
        "at least 2 characters: found '' in row 0, '日' in row 1",
    ),
    "max_length": (
        {"dtype": "string", "max_length": 2},
        pa.array(["", "日本"]),
        pa.array(["日本語"]),
        "at most 2 characters: found '日本語' in row 0",
    ),
    "list": (
        {"list": {"dtype": "int64", "min": 0}},
        pa.array([[], [0, 9]]),
        pa.array([[1], [], [2, -3]]),
        "at least 0: found -3 in row 2",
    ),
    "struct": (
        {"struct": {"a": {"dtype": "int64"}, "b": {"max_length": 1}}},
        pa.array([{"a": 1, "b": "x"}]),
        pa.array([{"a": 1, "b": "xy"}]),
        "at most 1 characters: found 'xy' in row 0",
    ),
    "min_items": (
        {"list": {"dtype": "int64"}, "min_items": 1},
        pa.array([[1]]),
        pa.array([[1], []]),
        r"at least 1 items: found \[\] in row 1",
    ),
    "max_items": (
        {"list": {"dtype": "int64"}, "min_items": 1, "max_items": 2},
        pa.array([[1], [1, 2]]),
        pa.array([[1, 2, 3]]),
        r"1 to 2 items: found \[1, 2, 3\] in row 0",
    ),
    "matches": (
        {"matches": "[a-z]+|é"},
        pa.array(["abc", "é"]),
        pa.array(["abc", "abc\n", "xé", ""]),
        r"matching '\[a-z\]\+\|é': found 'abc\\n' in row 1, 'xé' in row 2, '' in row 3",
    ),
    "precision": (
        {"dtype": "decimal", "precision": 5, "scale": 2, "min": "0.05"},
        pa.array([Decimal("0.05")], pa.decimal128(5, 2)),
        pa.array([Decimal("0.05")], pa.decimal128(6, 2)),
        r"type decimal\(5, 2\): found Decimal\(precision=6, scale=2\)",
    ),
    "scale": (
        {"dtype": "decimal", "precision": 5, "scale": 2, "min": 0.05, "values": [0.05, "1.5"]},
        pa.array([Decimal("0.05"), Decimal("1.50")], pa.decimal32(5, 2)),
        pa.array([Decimal("0.04")], pa.decimal32(5, 2)),
        r"at least 0.05: found Decimal\('0.04'\) in row 0",
    ),
    "resolution": (
        {"dtype": "timestamp", "resolution": "ns", "max": "2020-01-01T12:00:00"},
        pa.array([datetime(2020, 1, 1, 12)], pa.timestamp("ns")),
        pa.array([datetime(2020, 1, 1, 12)], pa.timestamp("us")),
        r"type timestamp\[ns\]: found Datetime\(time_unit='us', time_zone=None\)",
    ),
    "zone": (
        {"dtype": "timestamp", "zone": "Europe/Berlin", "min": "2020-01-01T12:00:00Z"},
        pa.array([datetime(2020, 1, 1, 12)], pa.timestamp("us", "Europe/Berlin")),
        pa.array([datetime(2020, 1, 1, 11, 59)], pa.timestamp("us", "Europe/Berlin")),
        r"at least 2020-01-01T12:00:00Z: found 2020-01-01 12:59:00\+01:00",
    ),
    "references": (
        {"dtype": "int64", "references": {"dataset": "authors", "column": "id"}, "nullable": True},
        pa.array([1, None, 3, 1]),
        pa.array([1, None, 2, 4]),
        "in id of authors: found 2 in row 2, 4 in row 3\\n",
    ),
    "unit_norm": (
        {"dtype": "float32", "shape": [2], "unit_norm": True},
        pa.array([[0.6, 0.8]], pa.list_(pa.float32(), 2)),
        pa.array([[0.6, 0.6]], pa.list_(pa.float32(), 2)),
        "unit norm: found",
    ),
}

NOTES = {"description", "unit"}
"""Keys of a column that are for people alone: test_description.py shows where they go."""
WITHIN = {"list": r"\[\]", "struct": r"\.b"}


def test_every_rule_of_the_schema_is_tested_here():
    schema = yaml.safe_load((SCHEMAS / "dataset.schema.yaml").read_text())
    assert set(schema["$defs"]["column"]["properties"]) == set(RULES) | NOTES


@pytest.mark.parametrize("rule", RULES)
def test_a_column_that_keeps_its_rule_passes(rule):
    column, kept, _, _ = RULES[rule]
    assert judge({"a": column}, a=kept)["passed"]


@pytest.mark.parametrize("rule", RULES)
def test_a_column_that_breaks_its_rule_is_named_with_the_value(rule):
    column, _, broken, words = RULES[rule]
    with pytest.raises(
        RegistryError, match=f"dataset: the contract is broken:\n    train: a{WITHIN.get(rule, '')}: {words}"
    ):
        judge({"a": column}, a=broken)


def test_a_breach_tells_where_it_stands_what_was_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RegistryError, match="what to do: fix the source"):
        judge({"a": {"dtype": "string"}}, a=pa.array([1]))
    cleaning = tmp_path / "reports" / "dataset" / "cleaning.json"
    cleaning.parent.mkdir(parents=True)
    cleaning.touch()
    with pytest.raises(
        RegistryError, match=r"what to do: see what was left out in reports/dataset/cleaning\.json; "
    ) as broken:
        judge({"a": {"dtype": "string"}}, a=pa.array([1]))
    # A preview removes the folder of its build.
    write_record(Ending.FAILED, since=0, failed=[FailedJob("dataset_analyze", None, str(broken.value))])
    said = _said(tmp_path)
    assert "cleaning.json" not in said
    assert "what to do: fix the source" in said


@pytest.mark.parametrize(
    ("dtype", "array"),
    [
        ("bool", pa.array([True])),
        ("uint8", pa.array([1], pa.uint8())),
        ("int64", pa.array([1])),
        ("float16", pa.array([1.5], pa.float16())),
        ("float64", pa.array([1.5])),
        ("string", pa.array(["a"], pa.large_string())),
        ("binary", pa.array([b"a"])),
        ("date", pa.array([1], pa.date32())),
        ("time", pa.array([1], pa.time64("us"))),
        ("timestamp", pa.array([1], pa.timestamp("us"))),
        ("duration", pa.array([1], pa.duration("us"))),
        *(
            (name, pa.array([1], getattr(pa, name)()))
            for name in ("int8", "int16", "int32", "uint16", "uint32", "uint64")
        ),
    ],
)
def test_every_dtype_takes_its_own_and_no_other(dtype, array):
    assert judge({"a": {"dtype": dtype}}, a=array)["passed"]
    with pytest.raises(RegistryError, match="a: type .*: found Float32\\n"):
        judge({"a": {"dtype": dtype}}, a=pa.array([1.5], pa.float32()))


def test_every_dtype_of_the_schema_is_known():
    schema = yaml.safe_load((SCHEMAS / "dataset.schema.yaml").read_text())
    for dtype in schema["$defs"]["column"]["properties"]["dtype"]["enum"]:
        contract({"a": {"dtype": dtype, "precision": 5, "scale": 2}})


NOT_FINITE = [math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("nullable", [False, True])
@pytest.mark.parametrize("value", NOT_FINITE)
def test_numbers_that_are_not_finite_are_refused(value, nullable, dtype):
    with pytest.raises(RegistryError, match=f"a: finite: found {value} in row 1"):
        judge({"a": {"dtype": dtype, "nullable": nullable}}, a=pa.array([1.0, value], getattr(pa, dtype)()))


def test_what_is_no_number_is_told_once():
    with pytest.raises(RegistryError) as caught:
        judge({"a": {"dtype": "float64", "min": 0, "max": 5}}, a=pa.array([1.0, math.nan]))
    assert str(caught.value).count("found nan") == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("value", [*NOT_FINITE, None])
def test_vectors_with_a_number_that_is_not_finite_or_missing_are_refused(value, dtype):
    vector = pa.list_(getattr(pa, dtype)(), 2)
    with pytest.raises(RegistryError, match="a: finite: found"):
        judge({"a": {"dtype": dtype, "shape": [2]}}, a=pa.array([[1, 2], [3, value]], vector))


@pytest.mark.parametrize("value", NOT_FINITE)
def test_pictures_with_a_number_that_is_not_finite_are_refused(value):
    column = {"dtype": "float32", "shape": [2, 3]}
    picture = pa.list_(pa.list_(pa.float32(), 3), 2)
    whole = [[1, 2, 3], [4, 5, 6]]
    assert judge({"a": column}, a=pa.array([whole, whole], picture))["passed"]
    with pytest.raises(RegistryError, match="a: finite: found"):
        judge({"a": column}, a=pa.array([whole, [[1, 2, 3], [4, value, 6]]], picture))
    assert judge({"a": column | {"nullable": True}}, a=pa.array([whole, None], picture))["passed"]


def test_null_is_refused_unless_the_contract_allows_it():
    with pytest.raises(RegistryError, match="a: no nulls: found None in row 1"):
        judge({"a": {"dtype": "float64"}}, a=pa.array([1.0, None]))
    assert judge({"a": {"dtype": "float64", "nullable": True, "min": 0}}, a=pa.array([1.0, None]))["passed"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a"], "'b' is missing\n"),
        (["a", "b", "c"], "'c' is there, and not in the contract\n"),
        (["b", "a"], "'b' stands where 'a' belongs\n"),
        (["A", "b"], "'a' is missing, 'A' is there instead\n"),
    ],
)
def test_missing_extra_and_reordered_columns_are_named(names, words):
    with pytest.raises(RegistryError, match=f"train: columns: {words}"):
        judge({"a": {"dtype": "int64"}, "b": {"dtype": "int64"}}, **{name: pa.array([1]) for name in names})


@pytest.mark.parametrize(
    ("rule", "count", "words"),
    [
        (3, 3, None),
        (3, 2, "expected 3: found 2"),
        (3, 4, "expected 3: found 4"),
        ({"min": 2}, 2, None),
        ({"min": 2}, 1, "expected at least 2: found 1"),
        ({"min": 2, "max": 3}, 3, None),
        ({"min": 2, "max": 3}, 4, "expected 2 to 3: found 4"),
        ({"min": 1000}, 1, "expected at least 1,000: found 1"),
    ],
)
def test_the_number_of_rows_is_exact_or_a_range(tmp_path, rule, count, words):
    rows = [(str(number), "train") for number in range(count)]
    if words is None:
        assert judge_splits(tmp_path, *rows, rows_rule={"train": rule})["rows"] == {"train": rule}
    else:
        with pytest.raises(RegistryError, match=f"train: rows: {words}"):
            judge_splits(tmp_path, *rows, rows_rule={"train": rule})


def test_missing_and_unexpected_splits_are_named(tmp_path):
    with pytest.raises(RegistryError) as raised:
        judge_splits(tmp_path, ("a", "train"), ("b", "dev"), rows_rule={"train": 1, "val": {"min": 1}})
    assert "val: rows: expected at least 1: found 0" in str(raised.value)
    assert "all: splits: expected train, val: found 'dev'" in str(raised.value)


def test_rows_hold_for_their_source_mode_only(tmp_path):
    spec = {"columns": {"a": {"dtype": "int64"}}, "rows": {"samples": {"train": 1}, "upstream": {"train": 2}}}
    for source, passes in (("samples", True), ("upstream", False), ("mirror", True)):
        judged = Contract({"name": "dataset", "source": source, "contract": spec})
        check_splits(judged, tmp_path, ("a", "train"))
        if passes:
            assert judged.conclude()["passed"]
        else:
            with pytest.raises(RegistryError, match="expected 2: found 1"):
                judged.conclude()


def test_disjoint_splits_share_no_input(tmp_path):
    shared = [("a", "train"), ("b", "train"), ("a", "val")]
    assert judge_splits(tmp_path, *shared)["passed"]
    assert judge_splits(tmp_path, ("a", "train"), ("a", "train"), disjoint=True)["disjoint"]
    with pytest.raises(RegistryError, match="all: inputs: none in two splits: found 'key-0 = key-2'"):
        judge_splits(tmp_path, *shared, disjoint=True)


def test_unique_inputs_occur_once_in_a_split(tmp_path):
    twice = [("a", "train"), ("b", "train"), ("a", "train")]
    assert judge_splits(tmp_path, *twice)["passed"]
    assert judge_splits(tmp_path, ("a", "train"), ("a", "val"), unique=True)["unique"]
    with pytest.raises(RegistryError, match="all: inputs: none twice in a split: found 'key-0 = key-2'"):
        judge_splits(tmp_path, *twice, unique=True)


def test_rows_with_one_key_are_told_apart(tmp_path):
    judged, ids = contract({"a": {"dtype": "int64"}}, unique=True), pa.array([b"same".ljust(16)] * 3, pa.binary(16))
    table = pa.table({"input_id": ids, "key": ["other", "One", "One"], "split": ["val", "train", "train"]})
    pq.write_table(table, tmp_path / "manifest.parquet")
    judged.check_splits({"val": 1, "train": 2}, tmp_path / "manifest.parquet")
    with pytest.raises(ContractError, match="none twice in a split: found 'One = One'") as raised:
        judged.conclude()
    [breach] = raised.value.breaches
    assert breach["cases"] == [case(("train", 0, "One"), ("train", 1, "One"))]


def test_a_row_of_which_several_values_are_wrong_is_one_case():
    judged = contract({"a": {"list": {"dtype": "int64", "max": 3}}})
    judged.check("all", pa.record_batch({"a": [[9, 8, 7, 1], [1], [5]]}))
    with pytest.raises(ContractError, match="found 9 in row 0, 8 in row 0, 7 in row 0 and 1 more") as raised:
        judged.conclude()
    assert raised.value.breaches[0]["cases"] == [case(("all", 0, None)), case(("all", 2, None))]


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_inputs_are_compared_in_passes_over_a_few(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(repeated, "AT_ONCE", at_once)
    monkeypatch.setattr("registry.describe.twins.ROWS", 4)
    monkeypatch.setattr("registry.describe.twins.GATHERED", at_once)
    rows = [
        (f"input {number % 7 if number < 20 else number}", "train" if number % 2 else "val") for number in range(60)
    ]
    with pytest.raises(RegistryError) as raised:
        judge_splits(tmp_path, *rows, disjoint=True, unique=True)
    assert [line.strip() for line in str(raised.value).splitlines()[1:-1]] == [
        "all: inputs: none in two splits: found 'key-0 = key-14 = key-7', 'key-1 = key-15 = key-8', "
        "'key-10 = key-17 = key-3' and 4 more",
        "all: inputs: none twice in a split: found 'key-0 = key-14', 'key-1 = key-15', 'key-16 = key-2' and 3 more",
    ]


def test_one_input_for_all_rows_is_shown_by_its_first_keys(tmp_path, monkeypatch):
    monkeypatch.setattr(repeated, "AT_ONCE", 10)
    with pytest.raises(RegistryError, match=r"found 'key-0 = key-1 = key-10 = key-100 = .{40,60}\.\.\.\n"):
        judge_splits(tmp_path, *[("a", "train")] * 1000, unique=True)


def test_all_breaches_of_all_batches_and_splits_come_in_one_message(tmp_path):
    columns = {"n": {"dtype": "int64", "min": 0}, "t": {"dtype": "string", "values": ["x"]}}
    judged = contract(columns, rows={"train": 2}, disjoint=True, unique=True)
    judged.check("train", pa.record_batch({"n": [-1, None], "t": ["x", "y"]}))
    judged.check("train", pa.record_batch({"n": [-2], "t": ["z"]}))
    judged.check("val", pa.record_batch({"n": [-3], "t": ["x"]}))
    check_splits(judged, tmp_path, ("a", "train"), ("a", "train"), ("a", "val"))
    with pytest.raises(RegistryError) as raised:
        judged.conclude()
    first, *lines, last = str(raised.value).splitlines()
    assert first == "dataset: the contract is broken:"
    assert set(lines) == {
        "    train: n: no nulls: found None in row 1",
        "    train: n: at least 0: found -1 in row 0, -2 in row 2",
        "    train: t: one of ['x']: found 'y' in row 1, 'z' in row 2",
        "    val: n: at least 0: found -3 in row 0",
        "    all: splits: expected train: found 'val'",
        "    all: inputs: none in two splits: found 'key-0 = key-1 = key-2'",
        "    all: inputs: none twice in a split: found 'key-0 = key-1'",
    }
    assert last.startswith("  what to do: fix the source or the params")
    assert last.endswith("config/datasets/dataset.yaml")
    rows = {(one["split"], one["column"], one["rule"]): one["row"] for one in raised.value.breaches}
    assert (rows["train", "n", "no nulls"], rows["train", "n", "at least 0"], rows["val", "n", "at least 0"]) == (
        1,
        0,
        0,
    )
    assert rows["all", "splits", "expected train"] is None
    assert raised.value.breaches[0].keys() == {"rule", "split", "column", "row", "message", "cases"}
    cases = {(one["split"], one["column"], one["rule"]): one["cases"] for one in raised.value.breaches}
    assert cases["train", "n", "at least 0"] == [case(("train", 0, "key-0")), case(("train", 2, None))]
    twins = ("train", 0, "key-0"), ("val", 0, "key-2"), ("train", 1, "key-1")
    assert cases["all", "inputs", "none in two splits"] == [case(*twins)]
    assert cases["all", "inputs", "none twice in a split"] == [case(twins[0], twins[2])]
    assert cases["all", "splits", "expected train"] == []


def case(*rows):
    named = [{"split": split, "row": row, "key": key, "dataset": None} for split, row, key in rows]
    return {"rows": named, "note": ""}


def test_a_page_shows_some_cases_of_a_breach_and_of_all():
    names = [f"c{number}" for number in range(breaches.MOST_SHOWN // breaches.SHOWN_ROWS + 2)]
    with pytest.raises(ContractError) as raised:
        judge(dict.fromkeys(names, {"dtype": "int64", "min": 0}), **dict.fromkeys(names, pa.array([-1] * 99)))
    numbers = [len(one["cases"]) for one in raised.value.breaches]
    assert numbers == [breaches.SHOWN_ROWS] * (len(names) - 2) + [0, 0]


def test_long_lists_and_long_values_are_shortened():
    with pytest.raises(RegistryError) as raised:
        judge({"a": {"dtype": "string", "values": ["x"]}}, a=pa.array(["y" * 5000] * 2000))
    shown = "'" + "y" * 79 + "..."
    assert f"found {shown} in row 0, {shown} in row 1, {shown} in row 2 and 1,997 more" in str(raised.value)
    assert len(str(raised.value)) < 600


def test_of_many_breaches_some_are_told():
    columns = {f"c{number}": {"dtype": "int64", "min": 0} for number in range(12)}
    with pytest.raises(RegistryError) as raised:
        judge(columns, **{name: pa.array([-1]) for name in columns})
    lines = str(raised.value).splitlines()
    assert lines[10:12] == ["    train: c9: at least 0: found -1 in row 0", "    and 2 more"]


def test_a_bad_value_is_named_with_its_row_and_the_rows_key():
    judged = contract({"a": {"dtype": "int64", "max": 9}})
    judged.check("train", pa.record_batch({"a": [1, 2]}), ["x.csv:0", "x.csv:1"])
    judged.check("train", pa.record_batch({"a": [3, 10]}), ["y.csv:0", "y.csv:1"])
    with pytest.raises(RegistryError, match=r"train: a: at most 9: found 10 in row 3 \('y.csv:1'\)\n"):
        judged.conclude()


def test_what_the_data_says_is_shown_escaped_and_cut():
    hostile = "\x1b[31m\nall: passed " + "x" * 1000
    judged = contract({"a": {"dtype": "string", "values": ["x"]}})
    judged.check("train", pa.record_batch({"a": [hostile], hostile: [1]}), [hostile])
    with pytest.raises(RegistryError) as raised:
        judged.conclude()
    first, extra, bad, last = str(raised.value).splitlines()
    start = r"'\x1b[31m\nall: passed xxx"
    assert extra.startswith(f"    train: columns: {start}")
    assert bad.startswith(f"    train: a: one of ['x']: found {start}")
    assert f" in row 0 ({start}" in bad
    assert max(map(len, (extra, bad))) < 250


@pytest.mark.parametrize("name", ["^a$", "^.*$", "*", "a|b", "$", "c"])
def test_a_columns_name_is_no_pattern(name):
    columns = {name: {"dtype": "int64", "min": 0}, "a": {"dtype": "int64"}, "ab": {"dtype": "float64"}}
    good = {name: pa.array([1]), "a": pa.array([-1]), "ab": pa.array([0.5])}
    assert judge(columns, **good)["columns"] == [name, "a", "ab"]
    with pytest.raises(RegistryError, match=re.escape(f"train: {name}: at least 0: found -1 in row 0\n")):
        judge(columns, **good | {name: pa.array([-1])})
    with pytest.raises(RegistryError, match=re.escape(f"train: columns: {name!r} is missing\n")):
        judge(columns, a=good["a"], ab=good["ab"])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["quality", "alcohl", "x"], ["'alcohol' is missing, 'alcohl' is there instead", "'x' is there, and not in"]),
        (["Quality", "alcohol"], ["'quality' is missing, 'Quality' is there instead"]),
        (["x"], ["'quality' is missing", "'alcohol' is missing", "'x' is there, and not in the contract"]),
    ],
)
def test_a_column_that_is_missing_is_told_with_the_one_that_is_there_instead(names, words):
    with pytest.raises(RegistryError) as raised:
        judge({"quality": {"dtype": "int64"}, "alcohol": {"dtype": "int64"}}, **{name: pa.array([1]) for name in names})
    lines = str(raised.value).splitlines()[1:-1]
    assert [line.startswith(f"    train: columns: {told}") for line, told in zip(lines, words, strict=True)] == [
        True
    ] * len(words)


@pytest.mark.parametrize(
    ("dtype", "values", "array"),
    [
        ("float64", [0, 1], pa.array([1.0])),
        ("int64", [0.0, 1.0], pa.array([1])),
        ("float32", [0.1], pa.array([0.1], pa.float32())),
        ("bool", [True], pa.array([True])),
        ("uint8", [255], pa.array([255], pa.uint8())),
    ],
)
def test_values_are_of_the_type_of_their_column(dtype, values, array):
    assert judge({"a": {"dtype": dtype, "values": values}}, a=array)["passed"]


def test_the_verdict_tells_what_was_checked(tmp_path):
    columns = {"a": {"dtype": "int64"}, "b": {"dtype": "string"}}
    judged = contract(columns, rows={"train": 1}, disjoint=True, unique=False)
    judged.check("train", pa.record_batch({"a": [1], "b": ["x"]}))
    check_splits(judged, tmp_path, ("a", "train"))
    assert judged.conclude() == {"passed": True, "columns": ["a", "b"], "rows": {"train": 1}, "disjoint": True}


VECTOR = {"dtype": "float32", "shape": [2], "unit_norm": True}


def vectors(*rows, dtype=None):
    return pa.array(rows, pa.list_(dtype or pa.float32(), 2))


def test_vectors_of_norm_1_are_taken_also_when_rounded():
    assert judge({"v": VECTOR}, v=vectors([1, 0], [0.6, 0.8], [-0.70710678, 0.7071]))["passed"]


@pytest.mark.parametrize("row", [[0, 0], [1, 1], [0.6, 0.79], [math.nan, 1], [math.nan] * 2, [math.inf, 0], [1e30, 0]])
def test_vectors_of_another_norm_or_none_are_refused(row):
    with pytest.raises(RegistryError, match="v: unit norm: found"):
        judge({"v": VECTOR}, v=vectors([1, 0], row))


@pytest.mark.parametrize(
    "array", [vectors([1, 0], dtype=pa.float64()), pa.array([[1, 0, 0]], pa.list_(pa.float32(), 3)), pa.array([1.0])]
)
def test_vectors_of_another_type_or_length_are_refused(array):
    with pytest.raises(RegistryError, match=r"v: type float32 of shape \[2\]: found \S.*\n  what"):
        judge({"v": VECTOR}, v=array)


FLOORS = {"retrieval.all.mrr": 0.5, "summary.v1.0": 2}


def with_floors(retrieval, **summary):
    """Judge a metadata.json that has these numbers."""
    judged = contract({"a": {"dtype": "int64"}}, floors=FLOORS)
    judged.check_floors({"dataset": {"name": "d"}, "retrieval": retrieval, "summary": summary})
    return judged.conclude()


@pytest.mark.parametrize("mrr", [0.5, 0.51, 1])
def test_numbers_that_reach_their_floors_pass_also_under_keys_with_dots(mrr):
    assert with_floors({"all": {"mrr": mrr, "other": 0}}, **{"v1.0": 2, "low": 0})["floors"] == FLOORS


@pytest.mark.parametrize("mrr", [0.499, math.nan, -1])
def test_a_number_below_its_floor_breaks_the_contract(mrr):
    with pytest.raises(RegistryError, match=f"all: floors: retrieval.all.mrr at least 0.5: found {mrr}"):
        with_floors({"all": {"mrr": mrr}}, **{"v1.0": 2})


@pytest.mark.parametrize("retrieval", [{}, {"all": {}}, {"all": 0.9}, {"all": {"mrr": "high"}}, {"all": {"mrr": True}}])
def test_a_number_that_is_not_there_breaks_the_contract_too(retrieval):
    with pytest.raises(RegistryError, match="retrieval.all.mrr at least 0.5: found no such number") as caught:
        with_floors(retrieval, **{"v1.0": 1})
    assert "summary.v1.0 at least 2: found 1" in str(caught.value)


CHATS = {
    "list": {
        "struct": {
            "role": {"values": ["user", "assistant"]},
            "content": {"min_length": 1, "nullable": True},
            "scores": {"list": {"dtype": "float32", "nullable": True}},
        }
    },
    "min_items": 1,
}
TURN = pa.struct([("role", pa.string()), ("content", pa.string()), ("scores", pa.list_(pa.float32()))])


def chats(*values):
    return pa.array(values, pa.list_(TURN))


def turn(role="user", content="hi", scores=()):
    return {"role": role, "content": content, "scores": scores}


def test_nested_columns_that_keep_all_rules_pass():
    column = chats([turn(), turn("assistant", None, [1, None])], [turn(scores=[0.5])])
    assert judge({"messages": CHATS}, messages=column)["passed"]
    assert judge({"messages": CHATS | {"nullable": True}}, messages=chats(None, [turn()]))["passed"]


@pytest.mark.parametrize(
    ("chat", "breach"),
    [
        ([], "messages: at least 1 items: found [] in row 2"),
        (None, "messages: no nulls: found None in row 2"),
        ([turn(), None], "messages[]: no nulls: found None in row 2"),
        ([turn(), turn("system")], "messages[].role: one of ['user', 'assistant']: found 'system' in row 2"),
        ([turn(None)], "messages[].role: no nulls: found None in row 2"),
        ([turn(), turn(content="")], "messages[].content: at least 1 characters: found '' in row 2"),
        ([turn(scores=None)], "messages[].scores: no nulls: found None in row 2"),
        ([turn(scores=[1, math.inf])], "messages[].scores[]: finite: found inf in row 2"),
        ([turn(scores=[math.nan, None])], "messages[].scores[]: finite: found nan in row 2"),
    ],
)
def test_what_breaks_a_rule_within_a_column_is_named_by_its_place_and_row(chat, breach):
    judged = contract({"messages": CHATS})
    judged.check("train", pa.record_batch({"messages": chats([turn(), turn()])}), ["a"])
    judged.check("train", pa.record_batch({"messages": chats([turn()], chat)}), ["b", "c"])
    with pytest.raises(RegistryError) as raised:
        judged.conclude()
    assert [line.strip() for line in str(raised.value).splitlines()[1:-1]] == [f"train: {breach} ('c')"]


@pytest.mark.parametrize("name", ["^a$", "^.*$", "*", "", "a.b", "[]"])
def test_a_fields_name_is_no_pattern(name):
    column = {"struct": {"a": {"dtype": "int64"}, name: {"list": {"struct": {name: {"max_length": 1}}}}}}
    good, bad = {"a": -1, name: [{name: "x"}]}, {"a": -1, name: [{name: "x"}, {name: "xy"}]}
    assert judge({"s": column}, s=pa.array([good]))["passed"]
    with pytest.raises(
        RegistryError, match=re.escape(f"s.{name}[].{name}: at most 1 characters: found 'xy' in row 1\n")
    ):
        judge({"s": column}, s=pa.array([good, bad]))


def test_what_lies_below_a_null_breaks_no_rule():
    values = pa.StructArray.from_arrays([pa.array(["system", "user"])], ["role"], mask=pa.array([True, False]))
    column = {"struct": {"role": {"values": ["user"]}}, "nullable": True}
    assert judge({"a": column}, a=values)["passed"]
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), pa.array([-1, 1]), mask=pa.array([True, False]))
    assert judge({"a": {"list": {"dtype": "int64", "min": 0}, "nullable": True}}, a=lists)["passed"]


def test_of_many_values_within_rows_some_are_told():
    with pytest.raises(
        RegistryError, match=r"a\[\]: at least 0: found -1 in row 0, -1 in row 0, -1 in row 0 and 3 more\n"
    ):
        judge({"a": {"list": {"dtype": "int64", "min": 0}}}, a=pa.array([[-1] * 4, [-1, 5, -1]]))


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (pa.array([[{"role": "user"}]]), r"List\(Struct\({'role': String}\)\)"),
        (pa.array(["a"]), "String"),
        (pa.array([[1]]), r"List\(Int64\)"),
        (pa.array([[1]], pa.list_view(pa.int64())), "list_view<item: int64>"),
        (pa.array([[1]], pa.list_(pa.decimal256(50, 2))), r"list<item: decimal256\(50, 2\)>"),
        (pa.array([[]], pa.list_(pa.uint8(), 0)), r"fixed_size_list<item: uint8>\[0\]"),
        (pa.array([1], pa.timestamp("us", "Nowhere/Nobody")), r"timestamp\[us, tz=Nowhere/Nobody\]"),
    ],
)
def test_a_column_of_another_type_than_a_nested_one_is_told_also_where_polars_has_none(array, found):
    words = "type list<struct<role: string, content: string, scores: list<float32>>>"
    with pytest.raises(RegistryError, match=f"train: messages: {words}: found {found}\n"):
        judge({"messages": CHATS}, messages=array)


@pytest.mark.parametrize(
    ("column", "good", "bad", "words"),
    [
        (
            {"dtype": "date", "min": "2020-01-01", "max": "2020-12-31"},
            [date(2020, 1, 1), date(2020, 12, 31)],
            date(2021, 1, 1),
            r"at most 2020-12-31: found 2021-01-01 in row 2",
        ),
        (
            {"dtype": "date", "values": ["2020-01-01"]},
            [date(2020, 1, 1)],
            date(1969, 1, 1),
            r"one of \['2020-01-01'\]: found 1969-01-01 in row 1",
        ),
        (
            {"dtype": "time", "min": "08:30", "values": ["08:30", "09:00:00.5"]},
            [time(8, 30), time(9, 0, 0, 500_000)],
            time(8, 29, 59),
            r"at least 08:30: found 08:29:59 in row 2",
        ),
        (
            {"dtype": "timestamp", "min": "2020-01-01", "values": ["2020-01-01T00:00", "2020-01-01 01:00:00"]},
            [datetime(2020, 1, 1), datetime(2020, 1, 1, 1)],
            datetime(2019, 12, 31),
            "at least 2020-01-01: found 2019-12-31 00:00:00",
        ),
        (
            {"dtype": "timestamp", "zone": "Europe/Berlin", "values": ["2020-07-01T12:00:00+02:00"]},
            [datetime(2020, 7, 1, 10, tzinfo=UTC)],
            datetime(2020, 7, 1, 12, tzinfo=UTC),
            r"one of .*: found 2020-07-01 14:00:00\+02:00",
        ),
        ({"dtype": "uint64", "min": 1, "max": 2**63}, [1, 2**63], 2**64 - 1, f"at most {2**63}: found {2**64 - 1}"),
        ({"dtype": "int8", "min": -128, "values": [-128, 1]}, [-128, 1], 2, r"one of \[-128, 1\]: found 2"),
        ({"dtype": "float32", "min": 0.1, "max": 0.2}, [0.1, 0.2], 0.3, "at most 0.2: found 0.3"),
        ({"dtype": "float16", "max": 1}, [1.0], 1.5, "at most 1: found 1.5 in row 1"),
        ({"dtype": "duration"}, [1], None, "no nulls: found None in row 1"),
    ],
    ids=lambda value: value["dtype"] if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("within", [False, True])
def test_bounds_and_values_of_every_type(column, good, bad, words, within):
    unit, zone = column.get("resolution", "us"), column.get("zone")
    types = {
        "date": pa.date32(),
        "time": pa.time64("ns"),
        "timestamp": pa.timestamp(unit, zone),
        "duration": pa.duration(unit),
    }
    dtype = types.get(column["dtype"]) or pa.type_for_alias(column["dtype"])
    spec, as_column = {"a": column}, lambda values: pa.array(values, dtype)
    if within:
        spec, as_column = {"a": {"list": column}}, lambda values: pa.array([[one] for one in values], pa.list_(dtype))
    assert judge(spec, a=as_column(good))["passed"]
    with pytest.raises(RegistryError, match=rf"train: a{re.escape('[]' * within)}: {words}"):
        judge(spec, a=as_column([*good, bad]))


@pytest.mark.parametrize("pattern", ["(?=a)a", r"(a)\1", "a)|(b", "[z-a]"])
def test_a_pattern_that_is_none_is_told_before_any_data_is_read(pattern):
    columns = {"a": {"list": {"matches": pattern}}, "b": {"matches": r"\p{Lu}\w*"}}
    with pytest.raises(RegistryError) as raised:
        contract(columns)
    first, breach, hint = str(raised.value).splitlines()
    assert first == "config/datasets/dataset.yaml: not valid:"
    assert breach.startswith("  contract.columns.a[]: matches: ")
    assert hint.startswith("  what to do: write regular expressions as Rust's")


def test_patterns_are_those_of_rust():
    column = {"matches": r"\p{Lu}[[:alpha:]]*(?-u:\d)"}
    assert judge({"a": column}, a=pa.array(["Äb1"]))["passed"]
    with pytest.raises(RegistryError, match="a: matching .*: found 'äb1' in row 1"):
        judge({"a": column}, a=pa.array(["Äb1", "äb1"]))


def test_values_within_a_column_refer_to_another_dataset_too():
    column = {"list": {"dtype": "int64", "references": {"dataset": "authors", "column": "id"}}}
    assert judge({"a": column}, a=pa.array([[1, 3], []]))["passed"]
    with pytest.raises(RegistryError, match=r"a\[\]: in id of authors: found 2 in row 1\n"):
        judge({"a": column}, a=pa.array([[1, 3], [2]]))
