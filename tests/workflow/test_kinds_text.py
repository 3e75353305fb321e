"""The kind `text`: emotion, written again by configuration alone, is the same dataset."""

import json

import pytest

from clone import under_git
from configured import EXAMPLES, add, cleaning, metadata, only, table
from support import ROOT

SAMPLES = ROOT / "data" / "samples" / "emotion"
FILES = {path.relative_to(SAMPLES).as_posix(): path for path in sorted(SAMPLES.rglob("*.parquet"))}
TWEETS = """
kind: text
about:
  title: Emotion
  description: English Twitter messages with one of six emotions.
  license: other (education and research only)
sources:
  files:
    - file: split/train-00000-of-00001.parquet
      urls: [https://huggingface.co/datasets/dair-ai/emotion/resolve/main/split/train-00000-of-00001.parquet]
      accept: [{sha256: 829ada73c69a4422a5c36dae162629150289bef774681a3b7536311b5c3768be, note: as published}]
      max_bytes: 20_000_000
    - file: split/validation-00000-of-00001.parquet
      urls: [https://huggingface.co/datasets/dair-ai/emotion/resolve/main/split/validation-00000-of-00001.parquet]
      accept: [{sha256: ed258cf1c71f0b590478cb0beb90384e5b432530a2b59e53dea7d1c7b272fba5, note: as published}]
      max_bytes: 20_000_000
    - file: split/test-00000-of-00001.parquet
      urls: [https://huggingface.co/datasets/dair-ai/emotion/resolve/main/split/test-00000-of-00001.parquet]
      accept: [{sha256: 48fa6e1b806fd993941a59b6228389bf7b817c4aac696c504f4b3b83b2688a93, note: as published}]
      max_bytes: 20_000_000
params:
  text: text
  label: label
  classes: [sadness, joy, love, anger, fear, surprise]
  split:
    files:
      train: [split/train-00000-of-00001.parquet]
      val: [split/validation-00000-of-00001.parquet]
      test: [split/test-00000-of-00001.parquet]
  problems: {in_two_splits: drop}
contract:
  columns:
    text: {dtype: string, min_length: 1, max_length: 1_000}
    label: {dtype: string, values: [sadness, joy, love, anger, fear, surprise]}
  rows:
    samples: {train: 1_800, val: 300, test: 300}
    mirror: {train: 15_984, val: 1_997, test: 2_000}
    upstream: {train: 15_984, val: 1_997, test: 2_000}
  disjoint: true
"""
REVIEWS = [
    ("training", "Loud, and the bed too short.", 0),
    ("training", "We come again!", 1),
    ("training", " \t", 1),
    ("training", "Breakfast: 10/10", 1),
    ("evaluation", "Breakfast: 10/10", 1),
    ("evaluation", "Tout était sale.", 0),
]
SAME = ("content_hash", "schema", "splits", "metrics")
"""What metadata.json says of both in the same words."""


def same(project) -> dict[str, object]:
    ours, its = metadata(project, "emotion"), metadata(project, "tweets")
    assert {key: its[key] for key in SAME} == {key: ours[key] for key in SAME}
    assert its["summary"]["found"] == ours["summary"]["found"]
    return its


def test_emotion_written_again_is_the_same_dataset_and_is_released(bare):
    assert len(TWEETS.strip().splitlines()) <= 60
    add(bare, "tweets", TWEETS, {name: path.read_bytes() for name, path in FILES.items()})
    bare.edit("config/config.yaml", "publish: false", "publish: true")
    clone = under_git(bare)
    printed = clone.snakemake("--cores", "2", "emotion", "tweets")
    assert "tweets: released as tweets-v1.0.0" in printed
    same(bare)
    assert "Nothing to be done" in clone.snakemake("-n", "tweets")
    assert "identical" in clone.registry("verify", "tweets")


def lines(rows) -> bytes:
    columns = ("part", "review", "label")
    return "".join(f"{json.dumps(dict(zip(columns, row, strict=True)))}\n" for row in rows).encode()


def test_the_example_is_built_grows_and_goes_back(bare, tmp_path):
    add(only(bare), "reviews", EXAMPLES["reviews"], {"reviews.jsonl": lines(REVIEWS)})
    bare.edit("config/config.yaml", "publish: false", "publish: true")
    clone = under_git(bare)
    assert "reviews: released as reviews-v1.0.0" in clone.snakemake("--cores", "2")
    assert table(clone, "reviews", "train").rows() == [
        ("Loud, and the bed too short.", "bad"),
        ("We come again!", "good"),
    ]
    found = metadata(clone, "reviews")
    assert found["schema"]["features"]["label"]["classes"] == ["bad", "good"]
    assert found["splits"]["test"] == {"num_samples": 2, "class_distribution": {"bad": 1, "good": 1}}
    assert found["metrics"]["test"]["word_count_mean"] == 2.5
    assert cleaning(clone, "reviews")["first"]["in_two_splits"] == ["reviews.jsonl:3"]
    assert "class" in (clone.folder / "reports/reviews/overview.svg").read_text(encoding="utf-8")

    add(bare, "reviews", EXAMPLES["reviews"], {"reviews.jsonl": lines([*REVIEWS, ("training", "Once is enough", 0)])})
    clone.commit("Take one more review")
    assert "reviews: released as reviews-v1.1.0 (MINOR)" in clone.snakemake("--cores", "2")
    clone.registry("rollback", "reviews", "1.0.0")
    assert table(clone, "reviews", "train").height == 2
    other = clone.cloned(tmp_path / "clone")
    other.registry("pull", "reviews")
    assert table(other, "reviews", "train").equals(table(clone, "reviews", "train"))


@pytest.mark.mirror
def test_it_is_the_same_at_full_size(bare, mirror, tmp_path):
    add(bare, "tweets", TWEETS)
    sources = tmp_path / "mirror"
    sources.mkdir()
    for name in ("emotion", "tweets"):
        (sources / name).symlink_to(mirror / "emotion")
    bare.snakemake("--cores", "2", "--config", "source=mirror", f"mirror={sources}", "--", "emotion", "tweets")
    assert same(bare)["summary"]["found"]["in_two_splits"] == 19
