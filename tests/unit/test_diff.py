"""What differs between two states of a dataset, from metadata and manifests alone."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_manifests import named, numbered, state, table, with_column

from registry.compare.diff import Classes, Fact, Statistic, diff
from registry.compare.rows import Columns, SplitRows
from registry.errors import RegistryError
from registry.storage.snapshot import Snapshot


def never(path):
    raise AssertionError("the manifest was opened")


def with_metadata(snapshot, **changes):
    """The same data with other metadata, and a manifest that nobody may open."""
    return replace(snapshot, metadata=snapshot.metadata | changes, local=never)


@pytest.fixture
def plain(tmp_path):
    return state(tmp_path, {"train": numbered("train", 5), "val": numbered("val", 2)}, classes=["a", "b", "c"])


def test_a_state_does_not_differ_from_itself_and_its_manifest_stays_closed(plain):
    closed = with_metadata(plain)
    found = diff(closed, closed)
    assert found.dataset == "things"
    assert not (found.content_differs or found.bytes_differ or found.columns or found.classes or found.rows_by)
    assert (found.splits_added, found.splits_removed, found.splits_reordered) == ((), (), False)
    assert found.splits == {"train": SplitRows(5, 5), "val": SplitRows(2, 2)}
    assert (found.statistics, found.metadata) == ((), ())


def test_other_bytes_are_not_other_content(plain):
    other = replace(with_metadata(plain), provenance={"data": {"md5": "other"}})
    found = diff(with_metadata(plain), other)
    assert (found.content_differs, found.bytes_differ) == (False, True)


def test_rows_splits_and_statistics(tmp_path, plain):
    new = state(
        tmp_path,
        {"extra": [named("x")], "train": numbered("train", 7)},
        classes=["a", "b", "c"],
        summary={"questions": 4},
    )
    found = diff(plain, new)
    assert found.content_differs
    assert found.bytes_differ
    assert found.rows_by == "sample_id"
    assert (found.splits_added, found.splits_removed, found.splits_reordered) == (("extra",), ("val",), False)
    assert {split: (rows.added, rows.removed) for split, rows in found.splits.items()} == {
        "train": (2, 0),
        "val": (0, 2),
        "extra": (1, 0),
    }
    assert found.metadata == ()
    assert set(found.statistics) == {
        Statistic("metrics.train.rows_mean", 5, 7, 2),
        Statistic("metrics.val.rows_mean", 2, None, None),
        Statistic("metrics.extra.rows_mean", None, 1, None),
        Statistic("splits.train.num_samples", 5, 7, 2),
        Statistic("splits.val.num_samples", 2, None, None),
        Statistic("splits.extra.num_samples", None, 1, None),
        Statistic("summary.questions", None, 4, None),
    }


def test_splits_in_another_order(tmp_path, plain):
    new = state(tmp_path, {"val": numbered("val", 2), "train": numbered("train", 5)}, classes=["a", "b", "c"])
    found = diff(plain, new)
    assert found.content_differs
    assert found.splits_reordered
    assert found.splits == {"train": SplitRows(5, 5), "val": SplitRows(2, 2)}


def test_columns(tmp_path, plain):
    rows = {"train": numbered("train", 5), "val": numbered("val", 2)}
    new = state(tmp_path, {split: with_column(some) for split, some in rows.items()}, classes=["a", "b", "c"])
    found = diff(plain, new)
    assert found.columns == Columns(added={"size": "int64"})
    assert found.rows_by is None
    assert found.metadata == ()
    back = diff(new, plain)
    assert back.columns == Columns(removed={"size": "int64"})


def test_values_that_changed_beside_a_change_of_columns_are_told_column_by_column(tmp_path, plain):
    rows = {"train": numbered("train", 5), "val": numbered("val", 2)}
    key, text, label = rows["train"][3]
    rows["train"][3] = key, text, label + 1
    new = state(tmp_path, {split: with_column(some) for split, some in rows.items()}, classes=["a", "b", "c"])
    found = diff(plain, new)
    assert (found.rows_by, found.splits["train"].changed) == ("input_id", 0)
    assert {split: those.columns for split, those in found.splits.items()} == {"train": ("label",), "val": ()}


def test_facts_of_a_column_that_stayed_are_told_and_those_of_a_new_one_are_not(tmp_path, plain):
    features = json.loads(json.dumps(plain.metadata["schema"]["features"]))
    features["text"]["description"] = "what it says"
    features["size"] = {"dtype": "int64", "description": "how long it is"}
    found = diff(plain, with_metadata(plain, schema={"features": features}))
    assert found.metadata == (Fact("schema.features.text.description", None, "what it says"),)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("ab", "abc", Classes(("c",), (), reordered=False, in_place=True)),
        ("ab", "acb", Classes(("c",), (), reordered=False, in_place=False)),
        ("abc", "ac", Classes((), ("b",), reordered=False, in_place=False)),
        ("abc", "acb", Classes((), (), reordered=True, in_place=False)),
        ("abc", "cxa", Classes(("x",), ("b",), reordered=True, in_place=False)),
        ("", "ab", Classes(("a", "b"), (), reordered=False, in_place=True)),
        ("ab", "", Classes((), ("a", "b"), reordered=False, in_place=False)),
    ],
)
def test_classes(tmp_path, old, new, expected):
    rows = {"train": numbered("train", 2)}
    found = diff(*(state(tmp_path, rows, classes=classes) for classes in (old, new)))
    assert found.classes == {"label": expected}
    assert (found.metadata, found.content_differs) == ((), False)


def test_classes_of_a_column_that_is_gone_are_no_news(tmp_path, plain):
    rows = {split: numbered(split, number) for split, number in (("train", 5), ("val", 2))}
    new = state(tmp_path, {split: (some, table(some).select(["text"])) for split, some in rows.items()})
    assert diff(plain, new).columns == Columns(removed={"label": "int64"})
    assert diff(plain, new).classes == diff(new, plain).classes == {}


def test_what_is_declared_is_told_apart_from_what_was_found_out(plain):
    about = {name: value for name, value in plain.metadata["dataset"].items() if name != "license"}
    new = with_metadata(plain, dataset=about | {"title": "Other"}, prompt={"prompt_version": 2, "prompt_text": "Look"})
    found = diff(plain, new)
    assert found.metadata == (
        Fact("dataset.title", "Things", "Other"),
        Fact("dataset.license", "CC0", None),
        Fact("prompt.prompt_text", None, "Look"),
    )
    assert found.statistics == (Statistic("prompt.prompt_version", None, 2, None),)


def test_measures_of_every_section_and_those_that_are_no_numbers(plain):
    old = with_metadata(plain, statistics={"target": {"mean": 1.5}}, summary={"files": {}, "rows": 3}, num_questions=1)
    new = with_metadata(
        plain, statistics={"target": {"mean": 1.0}}, summary={"files": "none", "rows": True}, num_questions=1
    )
    found = diff(old, new)
    assert found.statistics == (Statistic("statistics.target.mean", 1.5, 1.0, -0.5),)
    assert found.metadata == (Fact("summary.files", {}, "none"), Fact("summary.rows", 3, True))


def test_names_with_dots_are_not_mistaken_for_sections(plain):
    old = with_metadata(plain, summary={"bytes": {"a.b": 1}})
    new = with_metadata(plain, summary={"bytes": {"a": {"b": 1}}})
    assert diff(old, new).statistics == (
        Statistic("summary.bytes.a.b", 1, None, None),
        Statistic("summary.bytes.a.b", None, 1, None),
    )


def test_examples_are_as_many_as_asked_for(tmp_path, plain):
    new = state(tmp_path, {"train": numbered("train", 9), "val": numbered("val", 2)})
    assert diff(plain, new, examples=1).splits["train"].examples == {"added": ("train.txt:5",)}


def test_a_manifest_of_another_build_is_an_error(tmp_path, plain):
    other = state(tmp_path, {"train": numbered("train", 6)})
    with pytest.raises(RegistryError, match="manifest of things is not that of its metadata.json"):
        diff(plain, replace(other, local=plain.local))


def test_it_is_json(tmp_path, plain):
    new = state(tmp_path, {"train": with_column(numbered("train", 6))}, classes=["a"], about={"license": "MIT"})
    found = asdict(diff(plain, new))
    assert json.loads(json.dumps(found, allow_nan=False)).keys() == found.keys()
    assert found["splits"]["train"]["after"] == 6


NUMBERS = st.dictionaries(st.sampled_from("abcd"), st.integers(-3, 3) | st.floats(-1, 1), max_size=4)


@given(NUMBERS, NUMBERS)
def test_statistics_are_the_numbers_that_differ(old, new):
    def snapshot(numbers):
        metadata = {
            "content_hash": "sha256:0",
            "schema": {"features": {"text": {"dtype": "string"}}},
            "splits": {},
            "metrics": {"train": numbers} if numbers else {},
        }
        return Snapshot("things", "what is built", metadata, {"data": {"md5": "0"}}, {}, never)

    found = {
        statistic.path.removeprefix("metrics.train."): statistic
        for statistic in diff(*map(snapshot, (old, new))).statistics
    }
    if old and new:
        assert found.keys() == {name for name in old | new if old.get(name) != new.get(name)}
    for name, statistic in found.items():
        assert (statistic.old, statistic.new) == (old.get(name), new.get(name))
        both = name in old and name in new
        assert statistic.change == (new[name] - old[name] if both else None)
