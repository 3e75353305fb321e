"""OpenLineage's events of real runs: of what is built, released, pinned or broken, and of runs that end too soon."""

import json
import os
import signal

import pytest

from clone import Clone, under_git
from openlineage_classes import check_event
from project import copy_repository
from receiver import Receiver
from registry.workflow.lineage import FOLDER
from support import wait_until

KEY, PASSWORD = "the-key-hunter2", "hunter3"
ADDRESS = "https://example.org/acme/data"
WINE = "config/datasets/wine-quality.yaml"
PH = "pH: {dtype: float64, min: 2, max: 5}"


def runs(clone: Clone) -> list[list[dict]]:
    """Return the events of each run that has left some, the first run first."""
    paths = sorted((clone.folder / FOLDER).glob("*.jsonl"))
    found = [[json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] for path in paths]
    for events in found:
        for event in events:
            check_event(event)
    return found


def said(events: list[dict]) -> list[tuple[str, str]]:
    return [(event["eventType"], event["job"]["name"]) for event in events]


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> tuple[Clone, list[dict], list[str | None], str]:
    """A clone in which one run has built and released two datasets, what a receiver got of it, and what was printed."""
    clone = under_git(copy_repository(tmp_path_factory.mktemp("told") / "registry"))
    clone.edit("config/config.yaml", "datasets: all", "datasets: [emotion, wine-quality]")
    clone.commit()
    clone.git("remote", "add", "origin", f"https://me:{PASSWORD}@example.org/acme/data.git")
    with Receiver() as receiver:
        printed = clone.run(
            *("snakemake", "--cores", "2"),
            OPENLINEAGE_URL=receiver.url,
            OPENLINEAGE_API_KEY=KEY,
            REGISTRY_RUN_ID="4711",
            REGISTRY_RUN_URL="https://ci.example.org/runs/4711",
        )
    return clone, receiver.events, receiver.keys, printed


@pytest.fixture
def clone(told, tmp_path) -> Clone:
    """A copy of its own of that clone."""
    return told[0].copied(tmp_path / "registry")


def test_a_run_tells_what_it_builds_to_a_file_and_to_the_receiver(told):
    clone, received, keys, printed = told
    [events] = runs(clone)
    assert events == received and keys == [f"Bearer {KEY}"] * 4
    assert said(events) == [(kind, name) for kind in ("START", "COMPLETE") for name in ("emotion", "wine-quality")]
    assert len({event["run"]["runId"] for event in events}) == 2
    assert {event["job"]["namespace"] for event in events} == {ADDRESS}
    for event in events:
        assert event["run"]["facets"]["parent"]["job"] == {"namespace": ADDRESS, "name": "registry run"}
        location = event["job"]["facets"]["sourceCodeLocation"]
        assert location["path"] == f"config/datasets/{event['job']['name']}.yaml"
        assert location["version"] == clone.git("rev-parse", "HEAD~1"), "that of the code, not of its release"
    [output], inputs = events[3]["outputs"], events[3]["inputs"]
    metadata = json.loads((clone.folder / "data/wine-quality/metadata.json").read_text())
    assert (output["namespace"], output["name"]) == (ADDRESS, "wine-quality")
    assert output["facets"]["version"]["datasetVersion"] == "wine-quality-v1.0.0"
    assert [field["name"] for field in output["facets"]["schema"]["fields"]] == [*metadata["schema"]["features"]]
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == metadata["summary"]["num_samples"]
    alcohol = output["facets"]["dataQualityMetrics"]["columnMetrics"]["alcohol"]
    assert (alcohol["nullCount"], alcohol["max"]) == (0, metadata["statistics"]["features"]["alcohol"]["max"])
    assert [one["name"] for one in inputs] == [f"wine-quality/raw/winequality-{kind}.csv" for kind in ("red", "white")]
    assert inputs[0]["facets"]["symlinks"]["identifiers"][0]["namespace"] == "https://archive.ics.uci.edu"
    everything = json.dumps(events) + printed
    assert KEY not in everything and PASSWORD not in everything


def test_none_of_it_reaches_what_is_released(told):
    clone = told[0]
    paths = clone.git("ls-files").splitlines()
    assert not [path for path in paths if path.startswith("logs/")]
    for name in ("emotion", "wine-quality"):
        for file in ("metadata.json", "provenance.json"):
            assert "openlineage" not in (clone.folder / "data" / name / file).read_text().lower()


def test_a_run_that_builds_nothing_and_a_dry_run_tell_nothing(clone):
    clone.run("snakemake", "--cores", "2")
    clone.edit(WINE, PH, PH.replace("5", "6"))
    clone.run("snakemake", "-n")
    assert len(runs(clone)) == 1


def test_a_broken_contract_fails_and_what_is_pinned_is_not_spoken_of(clone):
    clone.registry("rollback", "emotion", "1.0.0")
    clone.edit(WINE, PH, PH.replace("5", "3"))
    clone.run("snakemake", "--cores", "2", code=1)
    assert said(runs(clone)[-1]) == [("START", "wine-quality"), ("FAIL", "wine-quality")]
    message = runs(clone)[-1][-1]["run"]["facets"]["errorMessage"]["message"]
    assert message.startswith("error: wine-quality: the contract is broken") and "pH" in message


def test_what_is_not_released_has_its_content_hash_as_its_version(clone):
    clone.edit(WINE, PH, PH.replace("5", "6"))
    clone.run("snakemake", "--cores", "2", "--config", "publish=false")
    [start, complete] = runs(clone)[-1]
    metadata = json.loads((clone.folder / "data/wine-quality/metadata.json").read_text())
    assert complete["outputs"][0]["facets"]["version"]["datasetVersion"] == metadata["content_hash"]
    assert start["run"]["runId"] == complete["run"]["runId"]


def test_the_next_run_ends_what_a_killed_one_began_and_a_receiver_that_stalls_holds_up_neither(clone):
    clone.edit(WINE, PH, PH.replace("5", "6"))
    process = clone.start("--cores", "2")
    wait_until(lambda: len([*(clone.folder / FOLDER).glob("*.jsonl")]) == 2 and runs(clone)[-1])
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    with Receiver(None) as receiver:
        printed = clone.run("registry", "run", "--cores", "2", OPENLINEAGE_URL=receiver.url, OPENLINEAGE_API_KEY=KEY)
    _, killed, after = runs(clone)
    assert said(killed) == [("START", "wine-quality"), ("ABORT", "wine-quality")]
    assert said(after) == [("ABORT", "wine-quality"), ("START", "wine-quality"), ("COMPLETE", "wine-quality")]
    assert after[0] == killed[1]
    assert "OpenLineage: 3 of 3 events not taken: no answer in time; all are in logs/openlineage/" in printed
    assert KEY not in printed and "Traceback" not in printed
    assert clone.record()["ending"] == "succeeded"


def test_a_run_that_is_told_to_stop_aborts(clone):
    slow = clone.folder / "scripts" / "wine_quality" / "process.py"
    slow.write_text(f"import time\ntime.sleep(600)\n{slow.read_text()}")
    process = clone.start("--cores", "2")
    wait_until(lambda: len([*(clone.folder / FOLDER).glob("*.jsonl")]) == 2 and runs(clone)[-1])
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert said(runs(clone)[-1]) == [("START", "wine-quality"), ("ABORT", "wine-quality")]
