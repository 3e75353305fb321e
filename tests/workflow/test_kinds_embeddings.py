"""The kind `embeddings`: the example of the page, built of the handbook's, searched, grown, and ejected."""

import shutil

from test_kinds_documents import PAGES, packed

from clone import under_git
from configured import EXAMPLES, add, metadata, only
from postgres import open_folder

GROWN = PAGES | {"teams/data.md": "# Data\n\n## Keepers\n\nThe night shift keeps every sample.\n"}
NAME = "found-pages"
"""Before that of its documents in the alphabet, so that a release has to look at them first by itself."""
TABLE = f"data/{NAME}/processed/embeddings.parquet"
CONFIG = f"config/datasets/{NAME}.yaml"


def test_the_example_is_built_searched_grown_and_ejected(bare):
    add(only(bare), "handbook", EXAMPLES["handbook"], packed(PAGES))
    add(bare, NAME, EXAMPLES["handbook-search"].replace("min_length: 20", "min_length: 5"))
    bare.edit("config/config.yaml", "publish: false", "publish: true")
    clone, folder = under_git(bare), open_folder()
    embedded = {"PGVECTOR_FOLDER": str(folder / "vectors")}
    try:
        clone.snakemake("--cores", "2")
        assert clone.tags() == [f"{NAME}-v1.0.0", "handbook-v1.0.0"]
        assert metadata(clone, NAME)["source_data_version"] == "handbook-v1.0.0"
        assert metadata(clone, NAME)["context"] == ["path", "section_h2", "section_h3"]
        assert metadata(clone, NAME)["summary"]["documents"] == 3
        (hit, *_) = clone.registry_json("search", "who are we?", "--dataset", NAME, **embedded)
        assert (hit["document"], hit["section"]) == ({"path": "welcome.md"}, ["Welcome"])

        add(bare, "handbook", EXAMPLES["handbook"], packed(GROWN))
        clone.commit("Say who keeps the data")
        printed = clone.snakemake("--cores", "2")
        assert f"{NAME}: 2 texts embedded, 3 taken from the last build" in printed
        assert f"{NAME}: released as {NAME}-v" in printed
        printed = clone.registry("search", "night shift", "--dataset", NAME, "--top", "1", **embedded)
        assert "1. teams/data.md › Data › Keepers" in printed
        listed = clone.registry_json("vectors", "list", "--dataset", NAME, **embedded)
        assert [(one["name"], one["serves"]) for one in listed][0] == ("found_pages", True)

        before, config = (clone.folder / TABLE).read_bytes(), (clone.folder / CONFIG).read_text()
        (clone.folder / CONFIG).write_text(config.replace("of: handbook", "of: handbook/processed/nothing.parquet"))
        printed = clone.snakemake("-n", "handbook")
        assert (
            f"{NAME} is left out: {CONFIG}: params.of: no rule makes data/handbook/processed/nothing.parquet" in printed
        )
        (clone.folder / CONFIG).write_text(config)
        clone.registry("eject", NAME)
        ejected = (clone.folder / CONFIG).read_text()
        (clone.folder / CONFIG).write_text(config)
        assert "it has a kind, and rules of its own" in clone.snakemake("-n", "handbook")
        (clone.folder / CONFIG).write_text(ejected)
        clone.commit("Write its own rules")
        assert f"{NAME}: committed without a new version" in clone.snakemake("--cores", "2")
        assert (clone.folder / TABLE).read_bytes() == before
        assert "Nothing to be done" in clone.snakemake("-n")
        assert "Keepers" in clone.registry("search", "night shift", **embedded)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_new_writes_a_file_that_builds(bare):
    add(only(bare), "handbook", EXAMPLES["handbook"], packed(PAGES))
    clone = under_git(bare)
    printed = clone.registry("new", "found", "handbook", "--kind", "embeddings", "--license", "CC0-1.0")
    assert "next: look at config/datasets/found.yaml" in printed
    assert len((clone.folder / "config/datasets/found.yaml").read_text().splitlines()) <= 40
    path = clone.folder / "config/datasets/found.yaml"
    path.write_text(path.read_text().replace("min_length: 50", "min_length: 5"))
    clone.snakemake("--cores", "2", "found")
    assert metadata(clone, "found")["splits"]["all"]["num_samples"] == 3


def test_another_engine_for_one_run_computes_what_is_new_and_leaves_the_dataset_as_it_is(bare, monkeypatch):
    add(only(bare), "handbook", EXAMPLES["handbook"], packed(PAGES))
    add(bare, NAME, EXAMPLES["handbook-search"].replace("min_length: 20", "min_length: 5"))
    ray, rule = ("--config", "engine=ray"), NAME.replace("-", "_")
    assert "engine: 'gpu' is not one of ['local', 'ray']" in bare.snakemake("-n", "--config", "engine=gpu", fails=True)
    assert "shard-1-of-2" not in bare.snakemake("-n", *ray, "shards=2", "--", rule)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    away = bare.snakemake("--cores", "2", *ray, "--", rule, fails=True)
    assert "127.0.0.1:1: the Ray cluster failed" in away

    monkeypatch.delenv("RAY_ADDRESS")
    assert "3 texts embedded" in bare.snakemake("--cores", "2", *ray, "--", rule)
    before = bare.products()
    assert b'"name": "local"' in before[f"data/{NAME}/provenance.json"]
    for options in (ray, ("--config", "engine=local"), ()):
        assert "Nothing to be done" in bare.snakemake("-n", *options, "--", rule)
    bare.snakemake("--cores", "2", "--forcerun", f"{rule}_embed", "--", rule)
    assert bare.products() == before

    bare.edit("config/config.yaml", "shards: 1", "engine: ray\nshards: 1")
    assert "engine is for one run alone" in bare.snakemake("-n", fails=True)
