"""What a contract makes of the duplicates that metadata.json counts, and what it can say of them."""

import pytest
import yaml

from registry.config.leakage import beyond, problems, referred
from registry.config.schema import breaches
from registry.describe.leaks import judged

EXAMPLE = {"split": "train", "key": "t1", "like": {"split": "test", "key": "e9"}, "distance": 0.25, "exact": False}
AGAINST = {
    "split": "test",
    "key": "e1",
    "like": {"dataset": "books", "key": "a.parquet:3"},
    "distance": 0,
    "exact": True,
}
METADATA = {
    "splits": {"train": {"num_samples": 1000}, "test": {"num_samples": 100}},
    "leakage": {
        "compared": "texts",
        "columns": ["text"],
        "splits": {
            "train": {"train": {"exact": 4, "near": 6}, "test": {"exact": 1, "near": 2}},
            "test": {"train": {"exact": 2, "near": 3}},
        },
        "against": {"test": {"books": {"exact": 1, "near": 0}}},
        "examples": [EXAMPLE, AGAINST],
    },
}


def contract(text):
    return {"columns": {}, "quality": {"leakage": yaml.safe_load(text)}}


def leaks(text, metadata=METADATA):
    return [(leak.split, leak.rule, leak.count, leak.fails) for leak in judged(contract(text), metadata, {})]


TWICE = ("train", "no row like another one of it", 10, True)
NO_TRAIN, NO_TEST = ("test", "no row like one of train"), ("train", "no row like one of test")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("{across: fail}", [(*NO_TEST, 3, True), (*NO_TRAIN, 5, True)]),
        ("{across: warn, within: fail}", [TWICE, (*NO_TEST, 3, False), (*NO_TRAIN, 5, False)]),
        ("{across: {warn: 0, fail: 3}}", [(*NO_TEST, 3, False), ("test", "at most 3 rows like one of train", 5, True)]),
        ("{across: {fail: 0.04}}", [("test", "at most 0.04 of the rows like one of train", 5, True)]),
        ("{across: {fail: 0.05}}", []),
        ("{across: {fail: 5}}", []),
        ("{within: {warn: 9}}", [("train", "at most 9 rows like another one of it", 10, False)]),
        ("{against: [books]}", [("test", "no row like one of books", 1, True)]),
        ("{against: {books: {column: said, warn: 0}}}", [("test", "no row like one of books", 1, False)]),
        ("{against: {books: {warn: 1}}}", []),
        ("{older: fail}", []),
    ],
)  # fmt: skip
def test_duplicates_are_held_to_their_limits(said, expected):
    found = {"against": {}} if "against" not in said else {}
    assert leaks(said, METADATA | {"leakage": METADATA["leakage"] | found}) == expected


def test_the_rows_are_named_from_either_side():
    found = [leak.said for leak in judged(contract("{across: fail, against: [books]}"), METADATA, {})]
    pair = ["'t1' of train and 'e9' of test, at a distance of 0.25"]
    assert found == [pair, pair, ["'e1' of test and 'a.parquet:3' of books, the same"]]


def test_rows_of_which_none_is_named_are_counted():
    metadata = METADATA | {"leakage": {key: value for key, value in METADATA["leakage"].items() if key != "examples"}}
    assert next(judged(contract("{across: fail, against: [books]}"), metadata, {})).said == ["3"]


def test_a_dataset_that_does_not_ask_has_no_leaks():
    assert leaks("{older: fail}", {"splits": {}}) == []


@pytest.mark.parametrize(
    ("count", "total", "expected"), [(0, 10, None), (1, 1000, ("warn", 0)), (11, 1000, ("fail", 0.01))]
)
def test_the_worst_level_counts(count, total, expected):
    assert beyond({"warn": 0, "fail": 0.01}, count, total) == expected


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("{across: {warn: 2, fail: 1}}", ["across: warn, 2, is not below fail, 1"]),
        ("{older: {warn: 0.2, fail: 0.2}}", ["older: warn, 0.2, is not below fail, 0.2"]),
        ("{against: {books: {warn: 3, fail: 2}}}", ["against.books: warn, 3, is not below fail, 2"]),
        ("{against: [books, own]}", ["against.own: it is this dataset itself, which across and within are about"]),
        ("{across: {warn: 5, fail: 0.5}, within: warn}", []),
    ],
)
def test_what_no_schema_can_tell(said, wrong):
    assert [*problems(contract(said), "own")] == wrong


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("{}", "one of across, within, against and older is needed"),
        ("{near: false}", "one of across, within, against and older is needed"),
        ("{across: sometimes}", "write warn, fail, or how many rows are too many: {warn: 0, fail: 0.01}"),
        ("{across: {}}", "write warn, fail, or how many rows are too many"),
        ("{against: books}", "write names, or the level of each name: {photos: warn}"),
        ("{across: fail, digits: 0}", "0 is less than the minimum of 1"),
    ],
)
def test_what_the_schema_refuses_reads_well(said, words):
    dataset = {"about": dict.fromkeys(("title", "description", "license"), "x")}
    own = {"columns": {"a": {"dtype": "int8"}}, "rows": {}, "quality": {"leakage": yaml.safe_load(said)}}
    assert any(words in line for line in breaches(dataset | {"contract": own}, "dataset"))


def test_a_contract_refers_to_the_datasets_that_rows_are_held_against():
    own = contract("{against: {books: fail, photos: {fail: 2}}}")
    own["columns"] = {"a": {"dtype": "int8", "references": {"dataset": "books", "column": "id"}}}
    assert referred(own) == ["books", "photos"]
