"""Which runs of Dagster that have not ended are at work, and which were killed, of which Dagster knows nothing.

Dagster starts runs from the server in which its sensors look, so that their processes can be seen there.
"""

import time

import dagster as dg
import psutil

UNFINISHED = [*{*dg.DagsterRunStatus} - {dg.DagsterRunStatus(ended) for ended in ("SUCCESS", "FAILURE", "CANCELED")}]
BY_SENSOR, KILLED = "dagster/sensor_name", {"registry/killed": "true"}
"""Tags of runs: which sensor asked for it, and that it was killed."""
WAITS = dg.DagsterRunStatus.QUEUED
"""The status of a run that the daemon starts some time, however late."""


def end_killed(instance: dg.DagsterInstance, sensor: str) -> list[str]:
    """Let Dagster know which runs of a sensor were killed, and return the ids of all that ever were, sorted.

    When Dagster is killed together with a run, it takes that run for started ever after.
    """
    for record in _unfinished(instance, sensor):
        if not _is_at_work(instance, record):
            run = record.dagster_run
            instance.add_run_tags(run.run_id, KILLED)
            instance.report_run_failed(run, "Its process is gone, and has not said how it ended.")
    return sorted(instance.get_run_ids(dg.RunsFilter(tags={BY_SENSOR: sensor, **KILLED})))


def is_any_at_work(instance: dg.DagsterInstance, sensor: str) -> bool:
    """Tell whether a run of a sensor has not ended, as Dagster sees it."""
    return bool(_unfinished(instance, sensor))


def _unfinished(instance: dg.DagsterInstance, sensor: str) -> list[dg.RunRecord]:
    return [*instance.get_run_records(dg.RunsFilter(tags={BY_SENSOR: sensor}, statuses=UNFINISHED))]


def _is_at_work(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    """Tell whether the process of a run is there, or is still to come."""
    if record.dagster_run.status == WAITS:
        return True
    for entry in instance.all_logs(record.dagster_run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        if pid := entry.dagster_event.engine_event_data.metadata.get("pid"):
            # Another process may have got its number since.
            try:
                return psutil.Process(int(pid.value)).create_time() <= entry.timestamp
            except psutil.NoSuchProcess:
                return False
    return time.time() - record.update_timestamp.timestamp() < instance.run_monitoring_start_timeout_seconds
