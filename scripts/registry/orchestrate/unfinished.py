"""Which runs of Dagster that have not ended are at work, and which were killed, of which Dagster knows nothing.

Dagster starts runs from the server in which its sensors look, so that their processes can be seen there.
"""

import time

import dagster as dg
import psutil

UNFINISHED = [*{*dg.DagsterRunStatus} - {dg.DagsterRunStatus(ended) for ended in ("SUCCESS", "FAILURE", "CANCELED")}]
WAITS = dg.DagsterRunStatus.QUEUED
"""The status of a run that the daemon starts some time, however late."""


def end_killed(instance: dg.DagsterInstance, sensor: str) -> list[str]:
    """Let Dagster know which runs of a sensor were killed, and return the ids of these.

    When Dagster is killed together with a run, it takes that run for started ever after.
    """
    killed = [record.dagster_run for record in _unfinished(instance, sensor) if not _is_at_work(instance, record)]
    for run in killed:
        instance.report_run_failed(run, "Its process is gone, and has not said how it ended.")
    return [run.run_id for run in killed]


def is_any_at_work(instance: dg.DagsterInstance, sensor: str) -> bool:
    """Tell whether a run of a sensor has not ended, as Dagster sees it."""
    return bool(_unfinished(instance, sensor))


def _unfinished(instance: dg.DagsterInstance, sensor: str) -> list[dg.RunRecord]:
    return [*instance.get_run_records(dg.RunsFilter(tags={"dagster/sensor_name": sensor}, statuses=UNFINISHED))]


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
