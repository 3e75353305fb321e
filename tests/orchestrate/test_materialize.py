"""What is selected together is one run of Snakemake, and what Dagster shows of it is what that run wrote down."""

import json

import dagster as dg
import pytest

from orchestrated import OTHER, SMALL, Orchestrated


def test_two_datasets_are_one_run_of_snakemake_whose_lines_are_in_the_log(materialized_once):
    clone = materialized_once
    assert len([*(clone.folder / ".snakemake" / "log").iterdir()]) == 1
    assert clone.tags() == [f"{SMALL}-v1.0.0", f"{OTHER}-v1.0.0"]
    said = clone.said()
    assert f"{SMALL}: released as {SMALL}-v1.0.0" in said
    assert any(line.endswith("tabular generate: drawing 1000 samples") for line in said)


def test_an_event_tells_what_was_built_and_released(materialized_once):
    clone = materialized_once
    event = clone.newest(SMALL)
    shown = event.metadata
    metadata = json.loads((clone.folder / "data" / SMALL / "metadata.json").read_text())
    assert event.tags["dagster/data_version"] == metadata["content_hash"] == shown["content_hash"].value
    assert shown["dagster/row_count"].value == 1000
    assert shown["summary"].value == metadata["summary"]
    columns = {column.name: column.type for column in shown["dagster/column_schema"].value.columns}
    assert columns["label"] == "int64"
    assert (shown["version"].value, shown["tag"].value) == ("1.0.0", f"{SMALL}-v1.0.0")
    assert shown["commit"].value == clone.git("rev-parse", f"{SMALL}-v1.0.0^{{commit}}")
    assert "first release" in shown["reason"].value
    assert "data:image/svg+xml;base64," in shown["picture"].value


def test_each_part_of_the_contract_is_a_check_that_passed(materialized_once):
    checks = materialized_once.checks(SMALL)
    assert {*checks} == {"columns", "rows", "column_label", *(f"column_feature_{number}" for number in range(5))}
    assert all(check.passed and check.blocking for check in checks.values())


def test_definitions_hold_and_name_what_a_user_looks_for(materialized_once):
    clone = materialized_once
    assert "passed validation" in clone.run("dagster", "definitions", "validate", "-m", "registry.orchestrate.dagster")
    graph = clone.definitions().resolve_asset_graph()
    node = graph.get(dg.AssetKey(["opencloudhub-readmes-embeddings"]))
    assert {key.to_user_string() for key in node.parent_keys} == {
        "opencloudhub-readmes",
        "opencloudhub-readmes-rag-evaluation",
    }
    source = graph.get(dg.AssetKey.from_user_string("sources/wine-quality/winequality-red.csv"))
    assert source.is_external
    assert len(source.metadata["sha256"].value) == 1
    assert {"snakemake", "dvc"} <= graph.get(dg.AssetKey([SMALL])).kinds
    jobs = {job.name for job in clone.definitions().resolve_all_job_defs()}
    assert {"all", "nightly", "tabular", "wine_quality"} <= jobs


@pytest.mark.parametrize(("age", "hours"), [("P1D", 24), ("PT12H", 12), ("P1DT1H30M", 25.5)])
def test_how_old_a_dataset_may_become_is_its_freshness_policy(materialized, age, hours):
    clone: Orchestrated = materialized
    path = clone.folder / "config" / "datasets" / f"{SMALL}.yaml"
    path.write_text(path.read_text() + f"\nfresh: {age}\n")
    policy = clone.definitions().resolve_asset_graph().get(dg.AssetKey([SMALL])).freshness_policy
    assert policy.fail_window.to_timedelta().total_seconds() == hours * 3600
    assert SMALL not in clone.unsynced()
