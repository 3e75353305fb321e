"""What retrieval is measured by."""

import json
import re

import numpy as np
import polars as pl
import pytest

from registry.embedding.retrieval import evaluate, ranking, read_questions, similarities
from registry.errors import RegistryError

CHUNKS = ["MLflow tracks runs", "Ray trains", "DVC stores data", "nothing", "ray and mlflow", "STRASSE"]


def unit(*rows):
    vectors = np.array(rows, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def questions(*rows):
    return pl.DataFrame([{"key_concepts": json.dumps(concepts), "category": category} for concepts, category in rows])


def measures(questions, one, five, ten, mrr):
    return {"questions": questions, "coverage_at_1": one, "coverage_at_5": five, "coverage_at_10": ten, "mrr": mrr}


def measured(concepts, order):
    return evaluate(questions((concepts, "x")), CHUNKS, np.array([order]))["all"]


def test_the_nearest_comes_first():
    vectors = unit([0, 1], [1, 0], [1, 1], [-1, 0])
    assert ranking(similarities(unit([1, 0], [0, 2]), vectors)).tolist() == [[1, 2, 0, 3], [0, 2, 1, 3]]


def test_of_equals_the_first_chunk_comes_first_whatever_the_last_bits():
    vectors = unit([1, 0], [1, 1], [1, 1 + 1e-6], [1, 1 - 1e-6])
    assert ranking(similarities(unit([1, 1]), vectors)).tolist() == [[1, 2, 3, 0]]


def test_coverage_is_the_share_of_concepts_in_the_first_chunks():
    order = [3, 1, 0, 5, 4, 2]
    assert measured(["MLflow", "DVC", "Ray", "Kafka"], order) == measures(1, 0, 0.5, 0.75, 0.5)


def test_the_best_and_the_worst():
    assert measured(["mlflow", "RAY"], [4, 0, 1, 2, 3, 5]) == measures(1, 1, 1, 1, 1)
    assert measured(["kafka"], range(6)) == measures(1, 0, 0, 0, 0)


def test_case_is_folded_as_unicode_does():
    assert measured(["straße"], [5, 0, 1, 2, 3, 4])["coverage_at_1"] == 1


def test_measures_are_means_over_all_and_by_category_and_rounded():
    rows = questions((["mlflow"], "b"), (["dvc"], "a"), (["ray"], "b"))
    facts = evaluate(rows, CHUNKS, np.array([[0, 1, 2, 3, 4, 5]] * 3))
    assert list(facts) == ["all", "a", "b"]
    assert facts["all"] == measures(3, 0.333, 1, 1, 0.611)
    assert facts["b"] == measures(2, 0.5, 1, 1, 0.75)


@pytest.mark.parametrize("count", [1, 4])
def test_fewer_chunks_than_are_looked_at(count):
    facts = evaluate(questions((["mlflow"], "x")), CHUNKS[:count], np.array([range(count)]))
    assert facts["all"]["coverage_at_10"] == 1


GOOD = {"question": "what?", "key_concepts": '["lamp"]', "category": "home"}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"key_concepts": "lamp"}, "key_concepts is no JSON list of texts: lamp"),
        ({"key_concepts": '"lamp"'}, "no JSON list of texts"),
        ({"key_concepts": "[]"}, "no JSON list of texts"),
        ({"key_concepts": '["lamp", NaN]'}, "no JSON list of texts"),
        ({"key_concepts": None}, "are to be texts"),
        ({"question": None}, "are to be texts"),
        ({"category": None}, "are to be texts"),
        ({"category": "all"}, "which means all of them"),
    ],
)
def test_a_question_that_cannot_be_measured_is_named(tmp_path, row, words):
    pl.DataFrame([GOOD, GOOD | row]).write_parquet(tmp_path / "asked.parquet")
    with pytest.raises(RegistryError, match=f"question 2: .*{re.escape(words)}"):
        read_questions([tmp_path / "asked.parquet"])


def test_questions_are_of_all_files_and_there_are_some(tmp_path):
    pl.DataFrame([GOOD]).write_parquet(tmp_path / "one.parquet")
    pl.DataFrame([GOOD | {"more": 1}]).write_csv(tmp_path / "two.csv")
    assert read_questions([]) is None
    assert read_questions([tmp_path / "one.parquet", tmp_path / "two.csv"]).rows() == [tuple(GOOD.values())] * 2
    pl.DataFrame([GOOD]).clear().write_parquet(tmp_path / "none.parquet")
    with pytest.raises(RegistryError, match="there are no questions"):
        read_questions([tmp_path / "none.parquet"])
    pl.DataFrame([GOOD]).drop("category").write_parquet(tmp_path / "lacks.parquet")
    with pytest.raises(RegistryError, match="no column category"):
        read_questions([tmp_path / "lacks.parquet"])
