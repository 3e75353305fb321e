"""metadata.json: the facts of the data, in the one shape that its schema fixes."""

import json
import math
from types import SimpleNamespace

import pytest

from registry.describe.metadata import metadata_digest, metadata_of, write_metadata
from registry.errors import RegistryError

DATASET = {
    "name": "some-data",
    "source": "samples",
    "about": {"title": "Some dätä", "description": "For tests", "license": "MIT", "homepage": "https://example.org"},
    "params": {"secret": "not a fact of the data"},
}
MANIFEST = SimpleNamespace(
    schema=[{"name": "text", "type": "string"}, {"name": "label", "type": "int64"}],
    num_samples={"train": 3, "val": 1},
    content_hash="sha256:" + "a" * 64,
    computed={},
)
METRICS = {"train": {"length_mean": 1.5}}


@pytest.fixture
def write(tmp_path):
    """Write a metadata.json and read it back."""

    def write(dataset=DATASET, manifest=MANIFEST, kind=None, **facts):
        write_metadata(tmp_path / "metadata.json", metadata_of(dataset, manifest, **facts), kind=kind)
        return json.loads((tmp_path / "metadata.json").read_text(encoding="utf-8"))

    return write


def test_it_joins_what_config_manifest_and_script_know(write):
    found = write(
        features={"label": {"classes": ["a", "b"]}},
        splits={"train": {"class_distribution": {"a": 1, "b": 2}}},
        metrics=METRICS,
    )
    assert found == {
        "dataset": {"name": "some-data", **DATASET["about"]},
        "schema": {"features": {"text": {"dtype": "string"}, "label": {"dtype": "int64", "classes": ["a", "b"]}}},
        "splits": {
            "train": {"num_samples": 3, "class_distribution": {"a": 1, "b": 2}},
            "val": {"num_samples": 1},
        },
        "metrics": METRICS,
        "content_hash": MANIFEST.content_hash,
    }
    assert list(found) == ["dataset", "schema", "splits", "metrics", "content_hash"]
    assert list(found["schema"]["features"]) == ["text", "label"]


def test_the_same_facts_make_the_same_bytes(write, tmp_path):
    write(metrics=METRICS)
    once = (tmp_path / "metadata.json").read_bytes()
    write({**DATASET, "source": "upstream", "params": {}}, metrics=METRICS)
    assert (tmp_path / "metadata.json").read_bytes() == once


@pytest.mark.parametrize(
    "facts", [{"metrics": METRICS}, {"statistics": {"features": {}}}, {"summary": {"num_samples": 4}}]
)
def test_any_one_kind_of_measure_will_do(write, facts):
    assert write(**facts)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, r"\(top level\): "),
        ({"metrics": {"train": {"mean": "high"}}}, "metrics.train.mean: 'high' is not of type 'number'"),
        ({"metrics": METRICS, "created": "today"}, r"\(top level\): .*'created' was unexpected"),
        ({"metrics": METRICS, "splits": {"train": {"host": "x"}}}, "splits.train: 'host' does not match"),
        ({"metrics": METRICS, "features": {"label": {"classes": [0, 1]}}}, "schema.features.label.classes.0: 0"),
        ({"statistics": {"features": {"a": {"mean": 1.0}}}}, "statistics.features.a: 'std' is a required property"),
        ({"summary": {"quality_distribution": {"3": -1}}}, "summary.quality_distribution.3: -1"),
    ],
)
def test_what_the_schema_forbids_is_named_and_not_written(write, tmp_path, facts, words):
    with pytest.raises(RegistryError, match=f"metadata.json: not valid:\n  {words}"):
        write(**facts)
    assert not any(tmp_path.iterdir())


def test_nan_is_not_written(write, tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write(metrics={"train": {"mean": math.nan}})
    assert not any(tmp_path.iterdir())


def test_a_column_that_a_model_computes_says_so(write):
    manifest = SimpleNamespace(**{**vars(MANIFEST), "computed": {"label": "a model"}})
    features = write(manifest=manifest, metrics=METRICS)["schema"]["features"]
    assert features["label"]["computed"] is True
    assert "computed" not in features["text"]


def test_the_digest_leaves_out_what_the_release_fills_in():
    facts = {"source_content_hash": "sha256:a", "source_data_version": None}
    assert metadata_digest(facts) == metadata_digest(facts | {"source_data_version": "readmes-v1.0.0"})
    assert metadata_digest(facts) != metadata_digest(facts | {"source_content_hash": "sha256:b"})


EMBEDDINGS = {
    "source_content_hash": "sha256:" + "b" * 64,
    "source_data_version": None,
    "embedding_model": "m",
    "model": {"name": "m", "sha256": "c" * 64, "precision": "int8", "max_tokens": 256, "dimension": 384},
    "chunk_size": 800,
    "chunk_overlap": 0,
    "context": ["source_repo"],
    "retrieval": {"all": {"questions": 1, "coverage_at_1": 0, "coverage_at_5": 0.5, "coverage_at_10": 1, "mrr": 0.25}},
}


def test_the_facts_of_embeddings_have_their_place(write):
    found = write(DATASET, kind="embeddings", metrics=METRICS, **EMBEDDINGS)
    assert {key: found[key] for key in EMBEDDINGS} == EMBEDDINGS


@pytest.mark.parametrize(
    "facts",
    [
        {"source_content_hash": "b" * 64},
        {"source_data_version": 1},
        {"model": EMBEDDINGS["model"] | {"precision": "int4"}},
        {"model": EMBEDDINGS["model"] | {"folder": "/somewhere"}},
        {"model": {"name": "m"}},
        {"chunk_size": 0},
        {"chunk_overlap": -1},
        {"retrieval": {}},
        {"retrieval": {"all": {"mrr": 0.5}}},
    ],
    ids=str,
)
def test_facts_of_embeddings_in_another_shape_are_not_written(write, tmp_path, facts):
    with pytest.raises(RegistryError, match=next(iter(facts))):
        write(DATASET, kind="embeddings", metrics=METRICS, **EMBEDDINGS | facts)
    assert not any(tmp_path.iterdir())


OWN = """
type: object
additionalProperties: false
required: [languages]
properties:
  languages: {type: integer, minimum: 1}
"""


@pytest.fixture
def own(tmp_path, tmp_path_factory):
    """A folder of scripts in which the dataset declares a key of its own, and what writes its metadata.json."""
    scripts = tmp_path_factory.mktemp("scripts")
    (scripts / "some_data").mkdir()
    (scripts / "some_data" / "metadata.schema.yaml").write_text(OWN, encoding="utf-8")

    def write(**facts):
        metadata = metadata_of(DATASET, MANIFEST, metrics=METRICS, **facts)
        write_metadata(tmp_path / "metadata.json", metadata, scripts=scripts)
        return metadata

    return write


def test_a_dataset_has_the_facts_that_the_schema_beside_its_scripts_declares(own):
    assert own(languages=3)["languages"] == 3


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "'languages' is a required property"),
        ({"languages": 0}, "languages: 0 is less than the minimum"),
        ({"languages": 3, "dialects": 7}, "'dialects' was unexpected"),
        ({"languages": 3, "splits": {"train": {"host": "x"}}}, "splits.train: 'host'"),
    ],
)
def test_what_that_schema_forbids_is_named_with_what_to_do(own, tmp_path, facts, words):
    with pytest.raises(RegistryError, match=words) as caught:
        own(**facts)
    assert "in metadata.schema.yaml there" in str(caught.value)
    assert not any(tmp_path.iterdir())
