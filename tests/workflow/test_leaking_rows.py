"""Rows near others in another split, another dataset or an older version's test split: a build or a release stops."""

import json

import pytest

from clone import under_git
from configured import EXAMPLES, add, metadata, only

GATE = "  disjoint: true\n  quality: {leakage: {%s}}\n"
TRAINING = [
    "The room was clean and quiet and the staff helped us with every single bag we had",
    "Loud neighbours all night long and nobody at the desk wanted to hear about any of it",
    "A small hotel by the harbour whose owner bakes the bread for breakfast by himself",
]
NEAR = TRAINING[1].replace("neighbours", "guests").replace("nobody", "no one").replace("any of it", "it")
EVALUATION = ["We would come again for the garden alone, where peacocks walk among the tables", "Never again"]
NEAR_TEST = EVALUATION[0].replace("alone", "itself").replace("walk", "live")


def lines(training, evaluation) -> bytes:
    rows = [("training", text, 0) for text in training] + [("evaluation", text, 1) for text in evaluation]
    return "".join(f"{json.dumps(dict(zip(('part', 'review', 'label'), row, strict=True)))}\n" for row in rows).encode()


def reviews(project, gate, training, evaluation, name="reviews"):
    config = EXAMPLES["reviews"].replace("  disjoint: true\n", GATE % gate if gate else "  disjoint: true\n")
    add(project, name, config, {"reviews.jsonl": lines(training, evaluation)})
    return project


def log(project, name="reviews"):
    return (project.folder / f"logs/{name}/analyze.log").read_text(encoding="utf-8")


def test_a_near_duplicate_in_another_split_blocks_the_build_and_names_both_rows(bare):
    reviews(only(bare), "across: fail", TRAINING, [*EVALUATION, NEAR])
    printed = bare.snakemake("--cores", "2", fails=True)
    pair = "'reviews.jsonl:1' of train and 'reviews.jsonl:5' of test, at a distance of 0."
    assert f"train: leakage: no row like one of test: found {pair}" in printed
    assert "test: leakage: no row like one of train: found" in printed
    assert not (bare.folder / "data/reviews/metadata.json").exists()
    page = bare.folder / "logs/reviews/analyze.breaches.html"
    shown = page.read_text(encoding="utf-8")
    assert (TRAINING[1] in shown, NEAR in shown, TRAINING[0] in shown) == (True, True, False)

    reviews(bare, "across: {warn: 0, fail: 0.5}", TRAINING, [*EVALUATION, NEAR])
    bare.snakemake("--cores", "2")
    assert not page.exists()
    assert f"warning: test: leakage: no row like one of train: found {pair}" in log(bare)
    found = metadata(bare, "reviews")["leakage"]
    assert found["splits"] == {
        "train": {"test": {"exact": 0, "near": 1}},
        "test": {"train": {"exact": 0, "near": 1}},
    }


def test_another_dataset_is_built_first_and_held_against(bare):
    reviews(only(bare), "against: [older-reviews]", TRAINING, EVALUATION)
    reviews(bare, "", [*TRAINING[::2], NEAR], ["Fine"], name="older-reviews")
    printed = bare.snakemake("--cores", "2", "reviews", fails=True)
    assert "train: leakage: no row like one of older-reviews: found 'reviews.jsonl:0' of train and" in printed
    assert "'train/train.parquet:2' of older-reviews, at a distance of 0." in printed
    shown = (bare.folder / "logs/reviews/analyze.breaches.html").read_text(encoding="utf-8")
    assert [text in shown for text in (TRAINING[0], TRAINING[1], NEAR, "Fine")] == [True, True, True, False]
    reviews(bare, "", ["Another one"], ["Fine"], name="older-reviews")
    bare.snakemake("--cores", "2", "reviews")
    assert metadata(bare, "reviews")["leakage"] == {"compared": "texts", "columns": ["text"], "splits": {}}


@pytest.fixture
def clone(bare):
    """Return a clone that has released reviews as 1.0.0."""
    reviews(only(bare), "", TRAINING, EVALUATION)
    bare.edit("config/config.yaml", "publish: false", "publish: true")
    clone = under_git(bare)
    assert "reviews: released as reviews-v1.0.0" in clone.snakemake("--cores", "2")
    return clone


def test_what_was_a_test_is_not_to_be_learnt_from_and_gates_make_no_version(clone):
    reviews(clone, "across: fail, older: fail", TRAINING, EVALUATION)
    clone.commit("Look for leaks")
    assert "reviews: committed without a new version, it is still 1.0.0" in clone.snakemake("--cores", "2")
    assert metadata(clone, "reviews")["leakage"]["splits"] == {}
    assert [one["state"] for one in clone.registry_json("status")] == ["released"]

    reviews(clone, "older: fail", [*TRAINING, EVALUATION[0]], EVALUATION[1:])
    clone.commit("Learn from a test")
    printed = clone.snakemake("--cores", "2", fails=True)
    assert "found 1 in reviews-v1.0.0: 'reviews.jsonl:3' of train was 'reviews.jsonl:3' of test" in printed
    assert "logs/reviews/refused.html, which registry publish writes, shows them beside each other" in printed
    assert "reviews: logs/reviews/refused.html shows what differs from reviews-v1.0.0" in printed
    assert EVALUATION[0] in (clone.folder / "logs/reviews/refused.html").read_text(encoding="utf-8")
    assert "set what contract.quality.leakage.older allows in config/datasets/reviews.yaml" in printed
    assert clone.tags() == ["reviews-v1.0.0"]
    [recorded] = clone.registry_json("summary", code=1)["datasets"]
    [pair] = recorded["release"]["alike"]
    assert (pair["key"], pair["row"], pair["like"]["row"]) == ("reviews.jsonl:3", 3, 0)

    reviews(clone, "older: warn", [*TRAINING, EVALUATION[0]], EVALUATION[1:])
    clone.commit("Take it")
    printed = clone.snakemake("--cores", "2")
    assert "reviews: released as reviews-v2.0.0" in printed
    assert not (clone.folder / "logs/reviews/refused.html").exists()
    assert "warning: no row that models learn from may be like one in a test split of an older version" in printed

    reviews(clone, "older: fail", [*TRAINING, NEAR_TEST], EVALUATION[1:])
    clone.commit("Reword it")
    printed = clone.snakemake("--cores", "2", fails=True)
    assert "found 1 in reviews-v1.0.0: 'reviews.jsonl:3' of train is, at a distance of 0." in printed
    assert ", like 'reviews.jsonl:3' of test; " in printed
