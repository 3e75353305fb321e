"""Several jobs share the work on a dataset, and the result does not depend on how many."""

import json

import pytest

from registry.describe.metadata import FILLED_IN

WIDE = ("tabular", "fashion-mnist", "radiology-mini", "opencloudhub-readmes-embeddings")
"""The datasets whose rules make parts."""


def rules_of(*datasets):
    return [dataset.replace("-", "_") for dataset in datasets]


def products(project):
    """What a run makes, without the tag that a release alone has filled in."""
    found = project.products()
    metadata = "data/opencloudhub-readmes-embeddings/metadata.json"
    return found | {metadata: json.loads(found[metadata]) | {FILLED_IN: None}}


def test_what_is_built_does_not_depend_on_how_many_jobs_share_the_work(built):
    before = products(built)
    printed = built.snakemake("--cores", "2", "--config", "shards=2", "--", *rules_of(*WIDE))
    assert [printed.count(f"shard-{number}-of-2: done") for number in (1, 2)] == [len(WIDE)] * 2
    assert products(built) == before
    assert "Nothing to be done" in built.snakemake("-n", "--config", "shards=2", "--", *rules_of(*WIDE))


def test_a_dataset_has_as_many_shards_as_its_own_file_says(built):
    built.edit("config/datasets/tabular.yaml", "params:", "shards: 7\n\nparams:")
    before = products(built)
    printed = built.snakemake("--cores", "2", "--config", "shards=2", "--", "tabular")
    assert printed.count("-of-7: done") == 7
    assert "-of-2" not in printed
    assert products(built) == before
    assert "part 3-of-3" in built.snakemake("-n", "--set-scatter", "tabular=3", "--", "tabular")


def test_a_dataset_whose_rules_make_no_parts_is_left_out(built):
    built.edit("config/datasets/emotion.yaml", "params:", "shards: 2\n\nparams:")
    reason = "emotion is left out: config/datasets/emotion.yaml: shards: no rule of it makes a part\n  what to do: take"
    assert reason in built.snakemake("-n")
    assert "shards: no rule of it makes a part" in built.snakemake("-n", "--", "emotion", fails=True)


@pytest.mark.parametrize("shards", [0, -1, 1_001, "many"])
def test_a_number_of_shards_that_is_none(bare, shards):
    printed = bare.snakemake("-n", "--config", f"shards={shards}", fails=True)
    assert "config/config.yaml and --config: not valid:\n  shards: " in printed
