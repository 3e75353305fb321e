"""The kind `text`: what is wrong with texts and labels, and what the labels of files stand for."""

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.config.kinds import check_kind, splits_of
from registry.config.schema import breaches
from registry.errors import RegistryError
from registry.formats.texts import is_blank
from registry.kinds.columns import arrow_schema
from registry.kinds.inputs import classes_of, inputs_of
from registry.kinds.tables import write_dataset
from registry.kinds.text import POLICIES, Labels, read
from registry.kinds.unfit import blank
from support import ROOT

SCHEMA = ROOT / "scripts/registry/kinds/text.schema.yaml"
TEXT = {"dtype": "string"}
CONTRACT = {"text": TEXT, "label": {"dtype": "string", "values": ["sad", "glad"]}}
PARAMS = {
    "text": "text",
    "label": "label",
    "classes": ["sad", "glad"],
    "split": {"files": {"train": ["train.jsonl"], "val": ["val.jsonl"], "test": ["test.jsonl"]}},
}
ROWS = {
    "train": [("one", 0), ("two", 1), (None, 1), ("three", None), ("", 0), (" \t", 1), ("four", 2), ("five", -1)],
    "val": [("two", 1), ("six", 0), ("be\x07ll", 1), (None, 0)],
    "test": [("six", 0), ("seven", 1), ("", 0)],
}
FOUND = {"nulls": 3, "empty_texts": 3, "control_characters": 1, "labels_out_of_range": 2, "in_two_splits": 2}


@pytest.fixture
def files(tmp_path) -> dict[str, Path]:
    paths = {}
    for split, rows in ROWS.items():
        path = paths[f"{split}.jsonl"] = tmp_path / f"{split}.jsonl"
        path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    return paths


def written(files, folder, contract=CONTRACT, params=PARAMS, policy="drop", **policies):
    """Return the rows of each split, and what was found."""
    tables = {split: folder / "tweets/processed" / split / f"{split}.parquet" for split in splits_of(params)}
    policies = dict.fromkeys(POLICIES, policy) | {"duplicates": "keep"} | policies
    (folder / "tweets").mkdir(exist_ok=True)
    write_dataset(
        lambda: read(files, contract, params),
        folder / "tweets/processed",
        tables,
        folder / "keys.parquet",
        folder / "cleaning.json",
        schema=arrow_schema(contract),
        policies=policies,
    )
    report = json.loads((folder / "cleaning.json").read_text())
    return {split: pl.read_parquet(path).rows() for split, path in tables.items()}, report["counts"]["found"]


def of_csv(folder, content, contract, **params):
    """Return what is read of one CSV file with these bytes."""
    path = folder / "texts.csv"
    path.write_text(content, encoding="utf-8")
    [rows] = read({"texts.csv": path}, contract, params)
    return rows


def test_problems_are_dropped_and_counted(files, tmp_path):
    rows, found = written(files, tmp_path)
    assert rows == {"train": [("one", "sad")], "val": [("two", "glad")], "test": [("six", "sad"), ("seven", "glad")]}
    assert found == FOUND


@pytest.mark.parametrize("problem", FOUND)
def test_each_problem_fails_by_itself_and_names_its_rows(files, tmp_path, problem):
    with pytest.raises(RegistryError, match=rf"{problem}: {FOUND[problem]}, e.g. \w+.jsonl:\d") as raised:
        written(files, tmp_path, **{problem: "fail"})
    assert str(raised.value).count("e.g.") == 1
    assert not (tmp_path / "tweets/processed").exists()


def test_what_is_kept_has_no_class_where_its_label_names_none(files, tmp_path):
    rows, found = written(files, tmp_path, policy="keep")
    assert [len(rows[split]) for split in ROWS] == [len(its) for its in ROWS.values()]
    assert rows["train"][6:] == [("four", None), ("five", None)]
    assert found == FOUND


def test_a_text_in_two_splits_is_told_from_nothing_in_two_splits(files, tmp_path):
    """Neither no text at all nor one of which nothing shows is a leak; those are problems of their own."""
    splits = {"text": "text", "split": PARAMS["split"]}
    found = [its.problems["in_two_splits"].to_list() for its in read(files, {"text": TEXT}, splits)]
    assert found == [[False, True] + [False] * 6, [False, True, False, False], [False] * 3]


def test_the_split_that_ranks_higher_keeps_the_text(files, tmp_path):
    order = {"test": ["test.jsonl"], "val": ["val.jsonl"], "train": ["train.jsonl"]}
    rows, _ = written(files, tmp_path, params=PARAMS | {"split": {"files": order}})
    assert rows == {"test": [("seven", "glad")], "val": [("six", "sad")], "train": [("one", "sad"), ("two", "glad")]}


@pytest.mark.parametrize(
    ("label", "left"),
    [(0, {"train": ["three"], "val": ["one", "two"]}), (9, {"train": ["one", "three"], "val": ["two"]})],
)
def test_a_text_is_left_in_one_split_whichever_problem_takes_the_other(tmp_path, label, left):
    rows = {"train": [("one", 0), ("three", 0)], "val": [("one", label), ("two", 0)]}
    files = {split: tmp_path / f"{split}.jsonl" for split in rows}
    for split, its in rows.items():
        pl.DataFrame(its, schema=["text", "label"], orient="row").write_ndjson(files[split])
    problems = dict.fromkeys(("in_two_splits", "duplicates", "labels_out_of_range"), "drop")
    params = PARAMS | {"split": {"files": {split: [split] for split in rows}}, "problems": problems}
    kept, _ = written(files, tmp_path, params=params, duplicates="drop")
    assert {split: [text for text, _ in its] for split, its in kept.items()} == left


def test_names_that_polars_takes_for_patterns_are_names(tmp_path):
    contract = {"^t$": TEXT, "^l$": {"dtype": "string", "values": ["sad", "glad"]}}
    rows = of_csv(tmp_path, "^t$,^l$\none,sad\na\x07b,odd\n", contract, text="^t$", label="^l$")
    assert rows.samples.rows() == [("one", "sad"), ("a\x07b", None)]
    wrong = {name: has_it.to_list() for name, has_it in rows.problems.items() if has_it.any()}
    assert wrong == {"control_characters": [False, True], "labels_out_of_range": [False, True]}


def test_ratios_never_part_equal_texts(tmp_path):
    """Whatever their labels: a split is drawn by the text alone."""
    lines = "".join(f"text {number % 40},{number % 2}\n" for number in range(200))
    split = {"ratios": {"train": 0.5, "test": 0.5}}
    contract = {"text": TEXT, "label": {"dtype": "int64"}}
    its = of_csv(tmp_path, "text,label\n" + lines, contract, text="text", label="label", split=split)
    assert not its.problems["in_two_splits"].any()
    assert its.splits.n_unique() == 2


LABELS = {
    "a list": (["neg", "pos"], ["0", "1", "2"], ["neg", "pos", None]),
    "numbers": ({"-1": "neg", "10": "pos"}, ["-1", "10", "0"], ["neg", "pos", None]),
    "words": ({"n": "neg", "p": "pos", "P": "pos"}, ["n", "P", "0"], ["neg", "pos", None]),
    "truth": ({"true": "pos", "false": "neg"}, ["true", "false"], ["pos", "neg"]),
    "leading zeros": ({"01": "neg", "1": "pos"}, ["01", "1", "001"], ["neg", "pos", None]),
    "none": (None, ["neg", "pos", "odd"], ["neg", "pos", None]),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels_of_files_name_classes(tmp_path, case):
    classes, labels, expected = LABELS[case]
    contract = {"text": TEXT, "label": {"dtype": "string", "values": ["neg", "pos"]}}
    params = {"text": "text", "label": "label"} | ({"classes": classes} if classes else {})
    its = of_csv(tmp_path, "text,label\n" + "".join(f"a,{label}\n" for label in labels), contract, **params)
    assert its.samples["label"].to_list() == expected
    assert its.problems["labels_out_of_range"].to_list() == [label is None for label in expected]


def test_numbers_of_json_lines_and_of_parquet_name_classes(tmp_path):
    path = tmp_path / "texts.parquet"
    pl.DataFrame({"text": ["a", "b"], "label": [1, 7]}, schema_overrides={"label": pl.UInt8}).write_parquet(path)
    [its] = read({"texts.parquet": path}, CONTRACT, {"text": "text", "label": "label", "classes": ["sad", "glad"]})
    assert its.samples["label"].to_list() == ["glad", None]


def test_long_texts_are_few_at_once(tmp_path, monkeypatch):
    path = tmp_path / "texts.parquet"
    pl.DataFrame({"text": [f"{number:06}" * 200 for number in range(100)]}).write_parquet(
        path, compression="uncompressed"
    )
    whole = [*read({"texts.parquet": path}, {"text": TEXT}, {"text": "text"})]
    monkeypatch.setattr("registry.kinds.files.BYTES", 20_000)
    parts = [*read({"texts.parquet": path}, {"text": TEXT}, {"text": "text"})]
    assert len(whole) == 1
    assert 5 < len(parts) <= 10
    assert pl.concat([part.samples for part in parts]).equals(whole[0].samples)
    assert parts[-1].keys[-1] == "texts.parquet:99"


def test_classes_can_be_numbers(tmp_path):
    contract = {"text": TEXT, "label": {"dtype": "int64", "values": [0, 1]}}
    params = {"text": "text", "label": "label", "classes": {"neg": 0, "pos": 1}}
    assert of_csv(tmp_path, "text,label\na,pos\nb,neg\n", contract, **params).samples["label"].to_list() == [1, 0]
    assert classes_of(contract, params) == []


def test_a_label_that_is_no_number_is_named(tmp_path):
    with pytest.raises(RegistryError, match="texts.csv: line 3: label is 'odd', not Int64"):
        of_csv(tmp_path, "text,label\na,1\nb,odd\n", CONTRACT, text="text", label="label", classes=["sad", "glad"])


def test_a_column_that_may_be_null_has_no_problem_with_it(tmp_path):
    contract = {"text": TEXT, "label": {"dtype": "string", "nullable": True, "values": ["sad"]}}
    its = of_csv(tmp_path, "text,label\na,\nb,sad\n", contract, text="text", label="label")
    assert not its.problems["nulls"].any()
    assert not its.problems["labels_out_of_range"].any()


def test_texts_alone_and_columns_that_are_called_otherwise(tmp_path):
    contract = {"said": TEXT, "by": {"dtype": "string", "nullable": True}}
    text = '\ufeffid,message,author\n1,"zwei\nZeilen, äöü 日本語",x\n2,🙂,\n3,\u200b,y\n'
    columns = {"said": "message", "by": "author"}
    its = of_csv(tmp_path, text, contract, text="said", columns=columns, key="by")
    assert its.samples["said"].to_list() == ["zwei\nZeilen, äöü 日本語", "🙂", "\u200b"]
    assert its.problems["empty_texts"].to_list() == [False, False, True]
    assert "labels_out_of_range" not in its.problems
    assert inputs_of(contract, {"text": "said"}) == ["said"]


def test_the_classes_are_known_from_the_params_or_from_the_contract():
    assert classes_of(CONTRACT, PARAMS) == ["sad", "glad"]
    assert classes_of(CONTRACT, {"label": "label"}) == ["sad", "glad"]
    assert classes_of(CONTRACT, {"label": "label", "classes": {"a": "x", "b": "x", "c": "y"}}) == ["x", "y"]
    assert classes_of({"text": TEXT}, {"text": "text"}) == []


def test_labels_of_other_types_are_left_to_the_contract():
    spec = {"dtype": "date", "values": ["2020-12-31"]}
    days = pl.Series([date(2020, 12, 31), date(2021, 1, 1)])
    labels, wrong = Labels(spec, None).named(days)
    assert labels.equals(days)
    assert not wrong.any()


def test_labels_that_no_one_lists_are_all_known():
    labels, wrong = Labels({"dtype": "string"}, None).named(pl.Series(["a", None]))
    assert (labels.to_list(), wrong.to_list()) == (["a", None], [False, False])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "'text' is a required property"),
        ({"text": "text", "classes": ["a"]}, "'label' is a dependency of 'classes'"),
        ({"text": "text", "label": "label", "classes": ["a", "a"]}, "non-unique"),
        ({"text": "text", "problems": {"nulls": "skip"}}, "'skip' is not one of"),
        ({"text": "text", "target": "label"}, "'target' was unexpected"),
        ({"text": "text", "split": {"ratios": {"train": 1}}}, "split"),
    ],
)
def test_params_that_are_wrong_are_named(params, message):
    assert message in "\n".join(breaches(params, SCHEMA))


def test_a_text_is_of_texts():
    columns = {"columns": {"text": {"dtype": "int64"}}, "rows": {}}
    dataset = {"kind": "text", "sources": {"files": [{"file": "a"}]}, "params": {"text": "text"}, "contract": columns}
    with pytest.raises(RegistryError, match="the column text is not of texts: let its dtype be string"):
        check_kind(dataset, "texts.yaml")


def test_params_that_are_right_pass():
    assert breaches(PARAMS, SCHEMA) == []


@given(st.lists(st.none() | st.text(max_size=4) | st.text(" \t\n\u200b\x7f!~é", max_size=3)))
def test_texts_are_blank_together_as_each_is(texts):
    expected = [text is not None and is_blank(text) for text in texts]
    assert blank(pl.Series(texts, dtype=pl.String)).to_list() == expected
