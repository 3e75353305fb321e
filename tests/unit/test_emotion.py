"""Emotion: what its cleaning finds and does, and what is said of the rest."""

import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzing import rule
from emotion.analyze import measure
from emotion.process import process
from registry.describe.description import describe
from registry.errors import RegistryError

CLASSES = ["sad", "glad"]
POLICIES = dict.fromkeys(("nulls", "empty_texts", "labels_out_of_range", "in_two_splits"), "drop")
FOUND = {"nulls": 2, "empty_texts": 2, "control_characters": 0, "labels_out_of_range": 2, "in_two_splits": 2}
ROWS = {
    "train": [("one", 0), ("two", 1), (None, 1), ("three", None), ("", 0), (" \t", 1), ("four", 2), ("five", -1)],
    "val": [("two", 1), ("six", 0)],
    "test": [("six", 0), ("seven", 1)],
}


@pytest.fixture
def files(tmp_path):
    paths = {}
    for split, rows in ROWS.items():
        paths[split] = tmp_path / f"{split}.parquet"
        pl.DataFrame(rows, schema={"text": pl.String, "label": pl.Int64}, orient="row").write_parquet(paths[split])
    return paths


def run(files, tmp_path, **policies):
    process(
        files, tmp_path / "processed", tmp_path / "cleaning.json", {"classes": CLASSES, "problems": POLICIES | policies}
    )
    rows = {split: pl.read_parquet(tmp_path / "processed" / split / f"{split}.parquet").rows() for split in files}
    return rows, json.loads((tmp_path / "cleaning.json").read_text())


def test_problems_are_dropped_and_counted(files, tmp_path):
    rows, report = run(files, tmp_path)
    assert rows == {"train": [("one", "sad")], "val": [("two", "glad")], "test": [("six", "sad"), ("seven", "glad")]}
    assert report["found"] == FOUND
    assert report["dropped"] == {"train": [1, 2, 3, 4, 5, 6, 7], "val": [1], "test": []}


def test_nothing_depends_on_how_many_texts_are_in_memory(files, tmp_path, monkeypatch):
    whole = run(files, tmp_path)
    monkeypatch.setattr("emotion.process.ROWS", 1)
    assert run(files, tmp_path) == whole
    assert pq.read_metadata(tmp_path / "processed/test/test.parquet").num_row_groups == 2
    with pytest.raises(RegistryError, match="nulls: 2, e.g. train row 2, train row 3\n"):
        run(files, tmp_path, nulls="fail")


def test_texts_that_nobody_can_see_or_read_are_problems(files, tmp_path):
    texts = ["\u200b", "\ufeff \u2060", "a\0b", "\x1b[2J", "ten\ttabs\r\n"]
    pl.DataFrame({"text": texts, "label": [0] * 5}).write_parquet(files["train"])
    with pytest.raises(RegistryError, match="control_characters: 2, e.g. train row 2, train row 3"):
        run(files, tmp_path)
    rows, report = run(files, tmp_path, control_characters="drop")
    assert rows["train"] == [("ten\ttabs\r\n", "sad")]
    assert (report["found"]["empty_texts"], report["found"]["control_characters"]) == (2, 2)
    rows, _ = run(files, tmp_path, control_characters="keep")
    assert [text for text, _ in rows["train"]] == texts[2:]


def test_problems_are_kept_when_the_configuration_says_so(files, tmp_path):
    rows, report = run(files, tmp_path, **dict.fromkeys(POLICIES, "keep"))
    assert [len(rows[split]) for split in files] == [8, 2, 2]
    assert rows["train"][6] == ("four", None)
    assert report["dropped"] == {"train": [], "val": [], "test": []}
    assert report["found"]["in_two_splits"] == 2


@pytest.mark.parametrize("problem", POLICIES)
def test_a_problem_fails_the_build_when_the_configuration_says_so(files, tmp_path, problem):
    with pytest.raises(RegistryError, match=rf"{problem}: 2, e.g. \w+ row \d") as caught:
        run(files, tmp_path, **{problem: "fail"})
    assert not any(other in str(caught.value) for other in set(POLICIES) - {problem})
    assert not (tmp_path / "processed").exists()


def test_all_problems_are_reported_at_once(files, tmp_path):
    with pytest.raises(RegistryError) as caught:
        run(files, tmp_path, **dict.fromkeys(POLICIES, "fail"))
    assert all(problem in str(caught.value) for problem in POLICIES)


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), min_size=3, max_size=3))
def test_dropping_leaves_no_text_in_two_splits_and_test_untouched(tmp_path_factory, texts):
    tmp_path = tmp_path_factory.mktemp("emotion")
    files = {split: tmp_path / f"{split}.parquet" for split in ROWS}
    texts = [[*words, f"only in {split}"] for split, words in zip(files, texts, strict=True)]
    for path, words in zip(files.values(), texts, strict=True):
        pl.DataFrame(
            {"text": words, "label": [0] * len(words)}, schema={"text": pl.String, "label": pl.Int64}
        ).write_parquet(path)
    rows, _ = run(files, tmp_path)
    kept = [{text for text, _ in rows[split]} for split in files]
    assert not kept[0] & kept[1] and not kept[0] & kept[2] and not kept[1] & kept[2]
    assert set().union(*kept) == set().union(*texts)
    assert [text for text, _ in rows["test"]] == texts[2]


@pytest.mark.parametrize("split", ROWS)
def test_a_split_that_is_left_empty_is_an_error(files, tmp_path, split):
    pl.DataFrame({"text": [" "], "label": [0]}).write_parquet(files[split])
    with pytest.raises(RegistryError, match=f"no text is left for {split}"):
        run(files, tmp_path)
    assert not (tmp_path / "processed").exists()


def test_nulls_and_empty_texts_are_no_twins(files, tmp_path):
    for split in ("val", "test"):
        pl.DataFrame({"text": [None, "", split], "label": [0, 0, 0]}).write_parquet(files[split])
    _, report = run(files, tmp_path, nulls="keep", empty_texts="keep")
    assert report["found"]["in_two_splits"] == 0
    assert report["dropped"] == {"train": [6, 7], "val": [], "test": []}


def test_the_files_have_exactly_the_columns_that_clients_read(files, tmp_path):
    run(files, tmp_path)
    assert pq.read_schema(tmp_path / "processed" / "train" / "train.parquet") == pa.schema(
        [("text", pa.string()), ("label", pa.string())]
    )


def test_a_missing_column_is_named(files, tmp_path):
    pl.DataFrame({"text": ["one"]}).write_parquet(files["val"])
    with pytest.raises(RegistryError, match="val.parquet.*text, label"):
        run(files, tmp_path)


def test_keys_name_the_rows_of_the_source_even_after_some_were_dropped(files, tmp_path):
    run(files, tmp_path, in_two_splits="keep")
    dataset = {
        "name": "emotion",
        "source": "samples",
        "about": {"title": "t", "description": "d", "license": "l"},
        "params": {"classes": CLASSES},
        "contract": {"columns": {"text": {"dtype": "string"}, "label": {"dtype": "string"}}, "rows": {}},
    }
    processed = {split: tmp_path / "processed" / split / f"{split}.parquet" for split in files}
    with describe(rule(tmp_path, dataset, tmp_path / "processed"), pq.read_schema(processed["train"])) as about:
        measure(about, processed, json.loads((tmp_path / "cleaning.json").read_text()), CLASSES)
    manifest = pl.read_parquet(tmp_path / "manifest.parquet")
    assert manifest["key"].to_list() == [
        "split/train-00000-of-00001.parquet:0",
        "split/train-00000-of-00001.parquet:1",
        "split/validation-00000-of-00001.parquet:0",
        "split/validation-00000-of-00001.parquet:1",
        "split/test-00000-of-00001.parquet:0",
        "split/test-00000-of-00001.parquet:1",
    ]
    metadata = json.loads((tmp_path / "metadata.json").read_text())
    assert metadata["schema"]["features"]["label"]["classes"] == CLASSES
    assert metadata["splits"]["train"]["class_distribution"] == {"sad": 1, "glad": 1}
    assert metadata["summary"]["dropped"] == {"train": 6, "val": 0, "test": 0}
