"""What Dagster does by itself: tell of what others did, build what was read of a stream, run the night's command."""

import os
import shutil
import subprocess
from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, EngineEventData
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import freeze_time

from orchestrated import OTHER, SMALL, Orchestrated
from registry.files import write_json
from registry.sources.batches import find_batches
from registry.sources.stream import record_of

EVENTS, AT_WORK = "events", "the last run is still at work"
SAYS = {"QUEUED": "PIPELINE_ENQUEUED", "STARTING": "PIPELINE_STARTING"}
"""The event by which Dagster knows when a run got that status."""


def names(told: dg.SensorResult) -> list[str]:
    return [
        event.asset_key.to_user_string() for event in told.asset_events if isinstance(event, dg.AssetMaterialization)
    ]


def test_what_others_did_is_told_once(materialized):
    clone: Orchestrated = materialized
    assert names(clone.tell()) == []
    clone.configure(SMALL, n_samples=1200)
    clone.commit("More samples")
    clone.registry("run", SMALL)
    assert names(clone.tell()) == [SMALL]
    event = clone.newest(SMALL)
    assert event.metadata["version"].value == "1.1.0"
    assert event.metadata["dagster/row_count"].value == 1200
    assert clone.checks(SMALL)["rows"].passed
    assert names(clone.tell()) == []


def test_a_checkout_that_cannot_be_read_is_a_reason_and_no_traceback(materialized):
    clone: Orchestrated = materialized
    clone.edit("config/config.yaml", "publish: true", "publish: perhaps")
    with pytest.raises(Exception, match="publish"):
        clone.definitions()


def read(clone: Orchestrated, count: int, name: str = EVENTS) -> None:
    """Let raw/ hold so many batches of each partition of the sample, as `registry ingest` leaves them."""
    samples, raw = clone.folder / "data" / "samples" / EVENTS, clone.folder / "data" / name / "raw"
    batches = find_batches(samples)
    taken: list[str] = []
    for partition in sorted({batch.partition for batch in batches}):
        taken += [batch.path.as_posix() for batch in batches if batch.partition == partition][:count]
    for path in taken:
        (raw / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(samples / path, raw / path)
    write_json(raw / "sources.json", record_of("stream", raw, taken))


def look(clone: Orchestrated) -> dg.RunRequest | str:
    """Let the sensor for streams look once; return what it asks for, or why it asks for nothing."""
    sensor = clone.definitions().resolve_sensor_def("new_events")
    with clone.instance() as instance:
        told = sensor(dg.build_sensor_context(instance=instance))
        return told.skip_message if isinstance(told, dg.SkipReason) else told


def test_what_was_read_of_a_stream_is_built_and_released(fresh):
    clone: Orchestrated = fresh
    assert look(clone) == "nothing was read that is not built"
    clone.edit("config/datasets/events.yaml", "\nsource: samples\n", "\nsource: stream\n")
    clone.commit("Build what was read")
    assert look(clone) == "nothing was read that is not built"
    read(clone, 1)
    asked = look(clone)
    assert [key.to_user_string() for key in asked.asset_selection] == [EVENTS]
    assert look(clone).run_key == asked.run_key
    assert clone.execute(EVENTS).success
    assert clone.newest(EVENTS).metadata["version"].value == "1.0.0"
    assert look(clone) == "nothing was read that is not built"
    assert EVENTS not in clone.unsynced()
    read(clone, 2)
    assert EVENTS in clone.unsynced() & clone.planned()
    assert look(clone).run_key != asked.run_key
    with clone.instance() as instance:
        instance.add_run(dg.DagsterRun(EVENTS, tags={"dagster/sensor_name": "new_events"}))
    assert look(clone) == AT_WORK
    assert clone.execute(EVENTS).success
    assert clone.newest(EVENTS).metadata["version"].value == "1.1.0"


def test_a_broken_list_of_batches_holds_no_other_dataset_up(fresh):
    clone: Orchestrated = fresh
    clone.edit("config/datasets/events.yaml", "\nsource: samples\n", "\nsource: stream\n")
    for folder, end in (("config/datasets", ".yaml"), ("workflow/rules", ".smk")):
        shutil.copyfile(clone.folder / folder / f"{EVENTS}{end}", clone.folder / folder / f"orders{end}")
    for name in (EVENTS, "orders"):
        read(clone, 1, name)
    assert [key.to_user_string() for key in look(clone).asset_selection] == [EVENTS, "orders"]
    clone.write(f"data/{EVENTS}/raw/sources.json", "{}")
    assert [key.to_user_string() for key in look(clone).asset_selection] == ["orders"]
    (clone.folder / "data" / "orders" / "raw" / "sources.json").unlink()
    assert "not what registry ingest writes" in look(clone)
    assert {EVENTS, "orders"} <= clone.unsynced()


def reported(clone: Orchestrated, status: str, pid: int | None, when: datetime) -> str:
    """Let Dagster know of a run of the sensor that had this status and process by then; return what the sensor says.

    A run that the sensor takes to be at work ends after that.
    """
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("registry"), "all"), EVENTS)
    tags = {"dagster/sensor_name": "new_events"}
    with clone.instance() as instance, freeze_time(when):
        run = dg.DagsterRun(EVENTS, status=dg.DagsterRunStatus(status), tags=tags, remote_job_origin=origin)
        instance.add_run(run)
        instance.report_engine_event("Launched", run, EngineEventData.in_process(pid) if pid else None)
        if pid is None:
            instance.report_dagster_event(DagsterEvent(SAYS[status], EVENTS), run.run_id)
    told = look(clone)
    with clone.instance() as instance:
        if isinstance(told, str):
            instance.report_run_failed(run)
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE
    return told if isinstance(told, str) else told.run_key


def test_a_run_that_was_killed_is_asked_for_again_once_and_one_at_work_is_waited_for(fresh):
    clone: Orchestrated = fresh
    clone.edit("config/datasets/events.yaml", "\nsource: samples\n", "\nsource: stream\n")
    read(clone, 1)
    key, now, long_ago = look(clone).run_key, datetime.now(UTC), datetime(2020, 1, 1, tzinfo=UTC)
    with subprocess.Popen("true") as ended:
        pass
    killed = [("STARTED", ended.pid, now), ("STARTED", os.getpid(), long_ago), ("STARTING", None, long_ago)]
    keys = [reported(clone, *run) for run in killed]
    assert len({key, AT_WORK, *keys}) == 5
    for run in [
        ("QUEUED", None, long_ago),
        ("STARTING", None, now),
        ("STARTED", os.getpid(), now),
        ("CANCELING", os.getpid(), now),
    ]:
        assert reported(clone, *run) == AT_WORK
    assert look(clone).run_key == keys[-1]


def test_the_nights_command_builds_all_that_is_out_of_date_and_tells_of_it(materialized):
    clone: Orchestrated = materialized
    clone.edit("config/config.yaml", "datasets: all", f"datasets: [{SMALL}, {OTHER}]")
    clone.configure(SMALL, n_samples=1200)
    clone.commit("Keep two datasets, and more samples of one")
    assert clone.execute("nightly").success
    assert clone.checks(SMALL)["rows"].passed
    assert clone.newest(SMALL).metadata["version"].value == "1.1.0"
    assert clone.tags() == [f"{SMALL}-v1.0.0", f"{SMALL}-v1.1.0", f"{OTHER}-v1.0.0"]
    (schedule,) = clone.definitions().schedules
    assert (schedule.job_name, schedule.default_status) == ("nightly", dg.DefaultScheduleStatus.STOPPED)
