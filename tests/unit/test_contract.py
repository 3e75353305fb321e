"""A dataset's contract: each rule kept and broken, and all breaches told at once."""

import math

import polars as pl
import pyarrow as pa
import pytest
import yaml

from registry.config.schema import SCHEMAS
from registry.describe.contract import Contract
from registry.errors import RegistryError

PICTURE = pa.list_(pa.list_(pa.uint8(), 3), 2)


def contract(columns, *, rows=None, source="samples", **rules):
    spec = {"columns": columns, "rows": {} if rows is None else {source: rows}, **rules}
    return Contract({"name": "dataset", "source": source, "contract": spec})


def judge(columns, **arrays):
    """Return the verdict over one batch."""
    judged = contract(columns)
    judged.check("train", pa.record_batch(arrays))
    return judged.conclude()


def samples(*rows):
    """Build the part of a manifest that `check_splits` sees from (input, split) pairs."""
    return pl.DataFrame(
        [(name.encode(), f"key-{number}", split) for number, (name, split) in enumerate(rows)],
        schema={"input_id": pl.Binary, "key": pl.String, "split": pl.String},
        orient="row",
    ).lazy()


def judge_splits(*rows, rows_rule=None, **rules):
    judged = contract({"a": {"dtype": "int64"}}, rows=rows_rule, **rules)
    judged.check_splits(samples(*rows))
    return judged.conclude()


# rule: (column, what keeps it, what breaks it, words of the breach)
RULES = {
    "dtype": ({"dtype": "int64"}, pa.array([1]), pa.array([1], pa.int32()), "dtype.*found 'Int32'"),
    "shape": (
        {"dtype": "uint8", "shape": [2, 3]},
        pa.array([[[1, 2, 3], [4, 5, 6]]], PICTURE),
        pa.array([[[1, 2], [3, 4], [5, 6]]], pa.list_(pa.list_(pa.uint8(), 2), 3)),
        r"dtype.*found 'Array\(UInt8, shape=\(3, 2\)\)'",
    ),
    "nullable": (
        {"dtype": "string", "nullable": True},
        pa.array(["a", None]),
        pa.array([1, None]),
        "dtype.*found 'Int64'",
    ),
    "min": (
        {"dtype": "int64", "min": 0},
        pa.array([0, 9]),
        pa.array([-1]),
        r"greater_than_or_equal_to\(0\): found '-1'",
    ),
    "max": ({"dtype": "int64", "max": 9}, pa.array([0, 9]), pa.array([10]), r"less_than_or_equal_to\(9\): found '10'"),
    "values": ({"dtype": "string", "values": ["a"]}, pa.array(["a"]), pa.array(["b"]), r"isin\(\['a'\]\): found 'b'"),
    "min_length": (
        {"dtype": "string", "min_length": 2},
        pa.array(["ab", "日本"]),
        pa.array(["", "日"]),
        r"str_length\(2, None\): found '', '日'",
    ),
    "max_length": (
        {"dtype": "string", "max_length": 2},
        pa.array(["", "日本"]),
        pa.array(["日本語"]),
        r"str_length\(None, 2\): found '日本語'",
    ),
    "unit_norm": (
        {"dtype": "float32", "shape": [2], "unit_norm": True},
        pa.array([[0.6, 0.8]], pa.list_(pa.float32(), 2)),
        pa.array([[0.6, 0.6]], pa.list_(pa.float32(), 2)),
        "unit norm: found",
    ),
}


def test_every_rule_of_the_schema_is_tested_here():
    schema = yaml.safe_load((SCHEMAS / "dataset.schema.yaml").read_text())
    assert set(schema["$defs"]["column"]["properties"]) == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_a_column_that_keeps_its_rule_passes(rule):
    column, kept, _, _ = RULES[rule]
    assert judge({"a": column}, a=kept)["passed"]


@pytest.mark.parametrize("rule", RULES)
def test_a_column_that_breaks_its_rule_is_named_with_the_value(rule):
    column, _, broken, words = RULES[rule]
    with pytest.raises(RegistryError, match=f"dataset: the contract is broken:\n    train: a: {words}"):
        judge({"a": column}, a=broken)


def test_a_breach_tells_where_it_stands_what_was_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RegistryError, match="what to do: fix the source"):
        judge({"a": {"dtype": "string"}}, a=pa.array([1]))
    cleaning = tmp_path / "reports" / "dataset" / "cleaning.json"
    cleaning.parent.mkdir(parents=True)
    cleaning.touch()
    with pytest.raises(RegistryError, match=r"what to do: see what was left out in reports/dataset/cleaning\.json; "):
        judge({"a": {"dtype": "string"}}, a=pa.array([1]))


@pytest.mark.parametrize(
    ("dtype", "array"),
    [
        ("bool", pa.array([True])),
        ("uint8", pa.array([1], pa.uint8())),
        ("int64", pa.array([1])),
        ("float64", pa.array([1.5])),
        ("string", pa.array(["a"], pa.large_string())),
        ("binary", pa.array([b"a"])),
    ],
)
def test_every_dtype_takes_its_own_and_no_other(dtype, array):
    assert judge({"a": {"dtype": dtype}}, a=array)["passed"]
    with pytest.raises(RegistryError, match="a: dtype"):
        judge({"a": {"dtype": dtype}}, a=pa.array([1.5], pa.float32()))


def test_every_dtype_of_the_schema_is_known():
    schema = yaml.safe_load((SCHEMAS / "dataset.schema.yaml").read_text())
    for dtype in schema["$defs"]["column"]["properties"]["dtype"]["enum"]:
        contract({"a": {"dtype": dtype}})


NOT_FINITE = [math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("nullable", [False, True])
@pytest.mark.parametrize("value", NOT_FINITE)
def test_numbers_that_are_not_finite_are_refused(value, nullable, dtype):
    with pytest.raises(RegistryError, match=f"a: finite: found '{str(value).replace('nan', 'NaN')}'"):
        judge({"a": {"dtype": dtype, "nullable": nullable}}, a=pa.array([1.0, value], getattr(pa, dtype)()))


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
    with pytest.raises(RegistryError, match="a: not_nullable: found 'None'"):
        judge({"a": {"dtype": "float64"}}, a=pa.array([1.0, None]))
    assert judge({"a": {"dtype": "float64", "nullable": True, "min": 0}}, a=pa.array([1.0, None]))["passed"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a"], "column_in_dataframe: found 'b'"),
        (["a", "b", "c"], "column_in_schema: found 'c'"),
        (["b", "a"], "column_ordered: found 'b'"),
        (["A", "b"], "column_in_schema: found 'A'\n.*column_in_dataframe: found 'a'"),
    ],
)
def test_missing_extra_and_reordered_columns_are_named(names, words):
    with pytest.raises(RegistryError, match=f"train: columns: {words}"):
        judge({"a": {"dtype": "int64"}, "b": {"dtype": "int64"}}, **{name: pa.array([1]) for name in names})


@pytest.mark.parametrize(
    ("rule", "count", "words"),
    [
        (3, 3, None),
        (3, 2, "expected 3: found '2'"),
        (3, 4, "expected 3: found '4'"),
        ({"min": 2}, 2, None),
        ({"min": 2}, 1, "expected at least 2: found '1'"),
        ({"min": 2, "max": 3}, 3, None),
        ({"min": 2, "max": 3}, 4, "expected 2 to 3: found '4'"),
        ({"min": 1000}, 1, "expected at least 1,000: found '1'"),
    ],
)
def test_the_number_of_rows_is_exact_or_a_range(rule, count, words):
    rows = [(str(number), "train") for number in range(count)]
    if words is None:
        assert judge_splits(*rows, rows_rule={"train": rule})["rows"] == {"train": rule}
    else:
        with pytest.raises(RegistryError, match=f"train: rows: {words}"):
            judge_splits(*rows, rows_rule={"train": rule})


def test_missing_and_unexpected_splits_are_named():
    with pytest.raises(RegistryError) as raised:
        judge_splits(("a", "train"), ("b", "dev"), rows_rule={"train": 1, "val": {"min": 1}})
    assert "val: rows: expected at least 1: found '0'" in str(raised.value)
    assert "all: splits: expected train, val: found 'dev'" in str(raised.value)


def test_rows_hold_for_their_source_mode_only():
    spec = {"columns": {"a": {"dtype": "int64"}}, "rows": {"samples": {"train": 1}, "upstream": {"train": 2}}}
    for source, passes in (("samples", True), ("upstream", False), ("mirror", True)):
        judged = Contract({"name": "dataset", "source": source, "contract": spec})
        judged.check_splits(samples(("a", "train")))
        if passes:
            assert judged.conclude()["passed"]
        else:
            with pytest.raises(RegistryError, match="expected 2: found '1'"):
                judged.conclude()


def test_disjoint_splits_share_no_input():
    shared = [("a", "train"), ("b", "train"), ("a", "val")]
    assert judge_splits(*shared)["passed"]
    assert judge_splits(("a", "train"), ("a", "train"), disjoint=True)["disjoint"]
    with pytest.raises(RegistryError, match="all: inputs: none in two splits: found 'key-0 = key-2'"):
        judge_splits(*shared, disjoint=True)


def test_unique_inputs_occur_once_in_a_split():
    twice = [("a", "train"), ("b", "train"), ("a", "train")]
    assert judge_splits(*twice)["passed"]
    assert judge_splits(("a", "train"), ("a", "val"), unique=True)["unique"]
    with pytest.raises(RegistryError, match="all: inputs: none twice in a split: found 'key-0 = key-2'"):
        judge_splits(*twice, unique=True)


def test_all_breaches_of_all_batches_and_splits_come_in_one_message():
    columns = {"n": {"dtype": "int64", "min": 0}, "t": {"dtype": "string", "values": ["x"]}}
    judged = contract(columns, rows={"train": 2}, disjoint=True, unique=True)
    judged.check("train", pa.record_batch({"n": [-1, None], "t": ["x", "y"]}))
    judged.check("train", pa.record_batch({"n": [-2], "t": ["z"]}))
    judged.check("val", pa.record_batch({"n": [-3], "t": ["x"]}))
    judged.check_splits(samples(("a", "train"), ("a", "train"), ("a", "val")))
    with pytest.raises(RegistryError) as raised:
        judged.conclude()
    first, *lines, last = str(raised.value).splitlines()
    assert first == "dataset: the contract is broken:"
    assert set(lines) == {
        "    train: n: not_nullable: found 'None'",
        "    train: n: greater_than_or_equal_to(0): found '-1', '-2'",
        "    train: t: isin(['x']): found 'y', 'z'",
        "    val: n: greater_than_or_equal_to(0): found '-3'",
        "    all: splits: expected train: found 'val'",
        "    all: inputs: none in two splits: found 'key-0 = key-1 = key-2'",
        "    all: inputs: none twice in a split: found 'key-0 = key-1'",
    }
    assert last.startswith("  what to do: fix the source or the params")
    assert last.endswith("config/datasets/dataset.yaml")


def test_long_lists_and_long_values_are_shortened():
    with pytest.raises(RegistryError) as raised:
        judge({"a": {"dtype": "string", "values": ["x"]}}, a=pa.array(["y" * 5000] * 2000))
    assert f"found {', '.join([repr('y' * 80)] * 3)} and 1,997 more" in str(raised.value)
    assert len(str(raised.value)) < 600


def test_the_verdict_tells_what_was_checked():
    columns = {"a": {"dtype": "int64"}, "b": {"dtype": "string"}}
    judged = contract(columns, rows={"train": 1}, disjoint=True, unique=False)
    judged.check("train", pa.record_batch({"a": [1], "b": ["x"]}))
    judged.check_splits(samples(("a", "train")))
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
    with pytest.raises(RegistryError, match="v: dtype"):
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
    with pytest.raises(RegistryError, match=f"all: floors: retrieval.all.mrr at least 0.5: found '{mrr}'"):
        with_floors({"all": {"mrr": mrr}}, **{"v1.0": 2})


@pytest.mark.parametrize("retrieval", [{}, {"all": {}}, {"all": 0.9}, {"all": {"mrr": "high"}}, {"all": {"mrr": True}}])
def test_a_number_that_is_not_there_breaks_the_contract_too(retrieval):
    with pytest.raises(RegistryError, match="retrieval.all.mrr at least 0.5: found 'no such number'") as caught:
        with_floors(retrieval, **{"v1.0": 1})
    assert "summary.v1.0 at least 2: found '1'" in str(caught.value)
