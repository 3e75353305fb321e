"""OpenLineage's events: what they say of a dataset, where they go, and that nothing about them fails a run."""

import fcntl
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from openlineage_classes import check_event
from receiver import PATH, Receiver
from registry.config.load import Datasets
from registry.workflow import openlineage
from registry.workflow.failures import FailedJob
from registry.workflow.lineage import FOLDER, KEPT, Lineage, abandoned, uuid7
from registry.workflow.sending import Sender
from support import free_ports

JOBS = [SimpleNamespace(log=["logs/cats/download.log"]), SimpleNamespace(log=["logs/cats/process.log"])]
RUN = "0190b7ae-0000-7000-8000-000000000001"
URL = "https://example.org/pub/cats one.csv?token=hunter2"


@pytest.fixture
def datasets() -> Datasets:
    found = Datasets(
        {
            "cats": {
                "name": "cats",
                "about": {"description": "Cats."},
                "sources": {"files": [{"file": "cats.csv", "urls": [URL, "s3://bucket/cats.csv", "mirror/cats.csv"]}]},
                "contract": {"columns": {"age": {}, "colour": {"nullable": True}}},
            }
        }
    )
    found.aliases["cats"] = ["felines"]
    return found


@pytest.fixture
def provenance(datasets) -> dict:
    file = {"file": "cats.csv", "url": URL, "bytes": 5, "sha256": "ab" * 32, "served_by": URL}
    return {
        "config": datasets["cats"],
        "source": {"mode": "upstream", "files": [file]},
        "data": {"bytes": 70, "files": 2},
    }


METADATA = {
    "schema": {"features": {"age": {"dtype": "int64", "description": "In years."}, "colour": {"dtype": "string"}}},
    "splits": {"train": {"num_samples": 5}, "val": {"num_samples": 2}},
    "statistics": {"features": {"age": {"mean": 3.0, "std": 1.0, "min": 1, "max": 9, "median": 2.5}}},
    "content_hash": "sha256:" + "cd" * 32,
}


def events_in(root: Path) -> list[dict]:
    return [json.loads(line) for path in sorted((root / FOLDER).glob("*.jsonl")) for line in path.open()]


def lineage(root: Path, datasets: Datasets, *, jobs=JOBS, **environment: str) -> Lineage:
    found = Lineage(environment, root)
    found.begin(jobs, datasets, since=1.5)
    return found


def test_what_is_said_of_data_that_was_made(tmp_path, datasets, provenance):
    place = openlineage.Place(None, tmp_path)
    output = openlineage.made_output(
        openlineage.output_of(datasets["cats"], ["felines"], place), METADATA, provenance, None
    )
    [source] = openlineage.used_inputs(provenance, {}, place)
    job = openlineage.job_of("cats", "default", place, None)
    check_event(openlineage.event("COMPLETE", 1.5, {"runId": RUN}, job, [source], output))
    assert (output["namespace"], output["name"]) == ("file", f"{tmp_path}/data/cats")
    facets = output["facets"]
    assert facets["version"]["datasetVersion"] == METADATA["content_hash"]
    assert facets["schema"]["fields"] == [
        {"name": "age", "type": "int64", "ordinal_position": 1, "description": "In years."},
        {"name": "colour", "type": "string", "ordinal_position": 2},
    ]
    assert facets["symlinks"]["identifiers"] == [
        {"namespace": "file", "name": f"{tmp_path}/data/felines", "type": "ALIAS"}
    ]
    measured = facets["dataQualityMetrics"]
    assert (measured["rowCount"], measured["bytes"], measured["fileCount"]) == (7, 70, 2)
    assert measured["columnMetrics"] == {
        "age": {"nullCount": 0, "min": 1, "max": 9, "quantiles": {"0.5": 2.5}},
        "colour": {},
    }
    assert source["name"] == f"{tmp_path}/data/cats/raw/cats.csv"
    assert source["facets"]["version"]["datasetVersion"] == f"sha256:{'ab' * 32}"
    assert source["facets"]["dataSource"]["uri"] == "https://example.org/pub/cats%20one.csv"
    assert source["facets"]["symlinks"]["identifiers"] == [
        {"namespace": "https://example.org", "name": "pub/cats one.csv", "type": "LOCATION"},
        {"namespace": "s3://bucket", "name": "cats.csv", "type": "LOCATION"},
    ]


def test_parents_are_inputs_with_their_versions(provenance):
    provenance["source"] = {"mode": "samples", "files": [], "datasets": {"cats": "sha256:1", "dogs": "sha256:2"}}
    place = openlineage.Place("https://example.org/pets.git", Path())
    cats, dogs = openlineage.used_inputs(provenance, {"cats": "cats-v1.0.0"}, place)
    assert (cats["namespace"], cats["name"]) == ("https://example.org/pets", "cats")
    assert cats["facets"]["version"]["datasetVersion"] == "cats-v1.0.0"
    assert dogs["facets"]["version"]["datasetVersion"] == "sha256:2"


def test_more_sources_than_an_event_carries(provenance):
    provenance["source"]["files"] *= openlineage.INPUTS + 1
    assert len(openlineage.used_inputs(provenance, {}, openlineage.Place(None, Path()))) == openlineage.INPUTS


@pytest.mark.parametrize(
    "origin",
    [
        "https://github.com/acme/pets",
        "https://me:hunter2@github.com/acme/pets.git",
        "git@github.com:acme/pets.git",
        "ssh://git@github.com:22/acme/pets.git/",
        "https://GitHub.com/acme/pets.git?token=hunter2",
    ],
)
def test_a_registry_is_the_same_however_it_was_cloned(origin):
    assert openlineage.Place(origin, Path()).namespace == "https://github.com/acme/pets"


@pytest.mark.parametrize("origin", ["/srv/pets.git", "../pets", "file:///srv/pets.git", "http://[bad", "", None])
def test_a_registry_without_an_address_is_a_folder(origin, tmp_path):
    assert openlineage.Place(origin, tmp_path).dataset("cats")["name"] == f"{tmp_path}/data/cats"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"OPENLINEAGE_PARENT_ID": f"https://flows/prod/nightly/{RUN}"}, ("https://flows/prod", "nightly", RUN)),
        ({"REGISTRY_RUN_ID": RUN}, ("default", "registry run", RUN)),
        ({"REGISTRY_RUN_ID": "77"}, ("default", "registry run", "3a242dce-7e7f-5644-bcf4-1c0c7baf3033")),
        ({"OPENLINEAGE_PARENT_ID": f"nightly/{RUN}"}, None),
        ({"OPENLINEAGE_PARENT_ID": "flows/nightly/77"}, None),
    ],
)
def test_what_started_the_run(settings, expected, tmp_path, datasets, capfd):
    lineage(tmp_path, datasets, **settings)
    [start] = events_in(tmp_path)
    check_event(start)
    parent = start["run"]["facets"].get("parent")
    assert expected == (parent and (parent["job"]["namespace"], parent["job"]["name"], parent["run"]["runId"]))
    assert ("OPENLINEAGE_PARENT_ID is not" in capfd.readouterr().err) == (expected is None)


def test_a_job_that_failed_and_jobs_that_were_never_started(tmp_path, datasets):
    datasets["dogs"] = datasets["cats"] | {"name": "dogs"}
    jobs = [*JOBS, SimpleNamespace(log=["logs/dogs/process.log"]), SimpleNamespace(log=[])]
    run = lineage(tmp_path, datasets, jobs=jobs, REGISTRY_RUN_ID="7", REGISTRY_RUN_COMMIT="abc")
    failed = FailedJob("cats_process", "logs/cats/process.log", "cats.csv: \x1b[2J, see https://me:hunter2@example.org")
    run.end(jobs[1:], since=1.5, failed=[failed])
    events = events_in(tmp_path)
    for event in events:
        check_event(event)
    assert [(event["eventType"], event["job"]["name"]) for event in events] == [
        ("START", "cats"),
        ("START", "dogs"),
        ("FAIL", "cats"),
        ("ABORT", "dogs"),
    ]
    assert events[0]["run"]["runId"] == events[2]["run"]["runId"] != events[3]["run"]["runId"]
    message = events[2]["run"]["facets"]["errorMessage"]["message"]
    assert message.startswith("cats.csv: ") and "\x1b" not in message and "hunter2" not in message
    tags = events[3]["run"]["facets"]["tags"]["tags"]
    assert {tag["key"]: tag["value"] for tag in tags} == {"id": "7", "commit": "abc"}


def test_a_run_that_was_killed_is_ended_by_the_next_one_and_only_once(tmp_path, datasets):
    dead = lineage(tmp_path, datasets)
    [path] = (tmp_path / FOLDER).iterdir()
    lineage(tmp_path, datasets)
    assert len(events_in(tmp_path)) == 2, "the first still goes on"
    dead._file.write(b'{"eventType": "COMPL')
    dead._file.close()
    [end] = abandoned(path)
    check_event(end)
    assert (end["eventType"], end["run"]["facets"]["errorMessage"]["message"]) == ("ABORT", "the run was killed")
    assert json.loads(path.read_bytes().splitlines()[-1]) == end
    assert [*abandoned(path)] == []


def test_a_run_that_goes_on_is_left_alone(tmp_path, datasets):
    run = lineage(tmp_path, datasets)
    [path] = (tmp_path / FOLDER).iterdir()
    assert [*abandoned(path)] == []
    fcntl.flock(run._file, fcntl.LOCK_UN)
    assert len([*abandoned(path)]) == 1


def test_only_the_last_runs_are_kept(tmp_path, datasets):
    for _ in range(KEPT + 3):
        run = lineage(tmp_path, datasets)
        run.end(JOBS, since=1.5)
    assert len([*(tmp_path / FOLDER).iterdir()]) == KEPT
    assert Path(run._file.name).is_file()


def test_ids_sort_by_time():
    ids = [uuid7() for _ in range(3)]
    assert {(one[14], one[19] in "89ab") for one in ids} == {("7", True)}
    assert len({*ids}) == 3 and sorted(one[:13] for one in ids) == [one[:13] for one in ids]


@pytest.mark.parametrize("jobs", [[], [SimpleNamespace(log=["logs/of/others.log"])]])
def test_a_run_that_builds_nothing_tells_nothing(jobs, tmp_path, datasets):
    lineage(tmp_path, datasets, jobs=jobs).end([], since=1.5)
    assert not (tmp_path / FOLDER).exists()


def test_it_can_be_turned_off(tmp_path, datasets):
    lineage(tmp_path, datasets, OPENLINEAGE_DISABLED="True").end([], since=1.5)
    assert not (tmp_path / FOLDER).exists()


def test_events_are_sent_with_the_key_and_in_order(tmp_path, datasets):
    with Receiver() as receiver:
        run = lineage(tmp_path, datasets, OPENLINEAGE_URL=receiver.url, OPENLINEAGE_API_KEY="hunter2")
        run.end(JOBS, since=1.5)
    assert receiver.events == events_in(tmp_path) and len(receiver.events) == 2
    assert receiver.keys == ["Bearer hunter2"] * 2 and {*receiver.paths} == {PATH}


@pytest.mark.parametrize(
    ("answer", "said"), [(401, "HTTP 401"), (503, "HTTP 503"), (307, "HTTP 307"), (302, "HTTP 302")]
)
def test_a_receiver_that_refuses(answer, said, tmp_path, datasets, capfd):
    with Receiver(answer) as receiver:
        run = lineage(tmp_path, datasets, OPENLINEAGE_URL=f"{receiver.url}/", OPENLINEAGE_API_KEY="hunter2")
        run.end(JOBS, since=1.5)
    assert capfd.readouterr().err == f"OpenLineage: 2 of 2 events not taken: {said}; all are in {run._file.name}\n"
    assert {*receiver.paths} == {PATH}, "it followed the answer elsewhere"


def test_a_receiver_that_stalls_is_not_waited_for():
    with Receiver(None) as receiver:
        sender = Sender(receiver.url, {})
        sender.send({})
        sender.send({})
        assert sender.finish(0) == "2 of 2 events not taken: no answer in time"


def test_a_receiver_that_is_not_there(tmp_path, datasets, capfd):
    run = lineage(tmp_path, datasets, OPENLINEAGE_URL=f"http://127.0.0.1:{free_ports(1)[0]}")
    run.end(JOBS, since=1.5)
    assert "2 of 2 events not taken: no connection, or it broke off" in capfd.readouterr().err


@pytest.mark.parametrize(
    "settings",
    [
        {"OPENLINEAGE_URL": "http://me:hunter2@example.org"},
        {"OPENLINEAGE_URL": "http://example.org/?api_key=hunter2"},
        {"OPENLINEAGE_URL": "file:///etc/passwd"},
        {"OPENLINEAGE_URL": "http://[bad"},
        {"OPENLINEAGE_URL": "http://127.0.0.1:1", "OPENLINEAGE_API_KEY": "hunter2\nX-Evil: 1"},
        {"OPENLINEAGE_URL": "http://127.0.0.1:1", "OPENLINEAGE_API_KEY": "hunter2\N{SNOWMAN}"},
        {"OPENLINEAGE_URL": "http://127.0.0.1:99999", "OPENLINEAGE_API_KEY": "hunter2"},
        {"OPENLINEAGE_NAMESPACE": "hunter2" * 1000},
    ],
)
def test_odd_settings_are_left_out_in_one_line_without_their_secrets(settings, tmp_path, datasets, capfd):
    run = lineage(tmp_path, datasets, **settings)
    run.end(JOBS, since=1.5)
    assert [event["eventType"] for event in events_in(tmp_path)] == ["START", "ABORT"]
    said = capfd.readouterr().err
    assert said.count("OpenLineage: ") >= 1 and "Traceback" not in said and "hunter2" not in said
    usable = settings.get("OPENLINEAGE_URL", "http://127.0.0.1").startswith("http://127.0.0.1")
    assert ("OPENLINEAGE_URL is no address of a receiver" in said) != usable


def test_a_place_that_cannot_be_written_keeps_nothing_from_the_receiver(tmp_path, datasets, capfd):
    (tmp_path / "logs").mkdir()
    (tmp_path / FOLDER).write_text("in the way")
    with Receiver() as receiver:
        lineage(tmp_path, datasets, OPENLINEAGE_URL=receiver.url).end(JOBS, since=1.5)
    assert len(receiver.events) == 2
    assert capfd.readouterr().err.count("\n") == 1
