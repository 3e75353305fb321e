"""A clone with a Dagster of its own, whose runs and versions can be looked into."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from clone import Clone
from registry.config.fingerprint import _content, fingerprint
from registry.orchestrate.checkout import Checkout
from registry.orchestrate.dagster import definitions

SMALL, OTHER = "tabular", "wine-quality"
"""Datasets that are built in a second, of which the second has sources."""
RESULTS = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
MODULE = "registry.orchestrate.dagster"


def selection(*names: str) -> str:
    """Return datasets as `dagster asset materialize --select` takes them."""
    return " or ".join(f'key:"{name}"' for name in names)


class Orchestrated(Clone):
    """A clone in which Dagster keeps what it knows beside the registry."""

    @property
    def home(self) -> Path:
        """Where Dagster keeps what it knows."""
        return self.folder.parent / "dagster"

    def environment(self, **extra: str) -> dict[str, str]:
        """Return the environment of a user whose Dagster sends nothing home."""
        self.home.mkdir(exist_ok=True)
        (self.home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
        return super().environment(**({"DAGSTER_HOME": str(self.home)} | extra))

    def materialize(self, *names: str, code: int = 0) -> str:
        """Run `dagster asset materialize` for datasets, as a user would, and return what it printed."""
        return self.run("dagster", "asset", "materialize", "-m", MODULE, "--select", selection(*names), code=code)

    @contextmanager
    def dagster_dev(self, port: int) -> Iterator[subprocess.Popen[bytes]]:
        """Run `dagster dev`, with all that it starts in a process group of its own, and end it as Ctrl-C does."""
        # What a shell runs in the background ignores Ctrl-C, as does all that it starts.
        command = ["env", "--default-signal=INT", "dagster", "dev", "--host", "127.0.0.1", "--port", str(port)]
        options = {"cwd": self.folder, "env": self.environment(), "start_new_session": True}
        with (
            (self.folder.parent / "dev.log").open("a") as log,
            subprocess.Popen(command, stdout=log, stderr=log, **options) as process,
        ):
            try:
                yield process
            finally:
                process.send_signal(signal.SIGINT)

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """Open what Dagster knows."""
        self.environment()
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            yield instance

    def definitions(self) -> dg.Definitions:
        """Return what Dagster sees when it loads this clone again."""
        for cached in (_content, fingerprint):
            cached.cache_clear()
        return definitions(Checkout.at(self.folder))

    def execute(self, job: str) -> dg.ExecuteInProcessResult:
        """Run a job within this process, which comes to what the command does."""
        with self.instance() as instance:
            return self.definitions().resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False)

    def unsynced(self) -> set[str]:
        """Return the datasets that Dagster takes for out of date, or for never made, once it has loaded them again."""
        graph = self.definitions().resolve_asset_graph()
        with self.instance() as instance:
            resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
            return {
                key.to_user_string()
                for key in graph.materializable_asset_keys
                if resolver.get_status(key) != StaleStatus.FRESH
            }

    def tell(self) -> dg.SensorResult | dg.SkipReason:
        """Let the sensor look at the clone once, as the daemon does, and keep what it tells."""
        with self.instance() as instance:
            sensor = self.definitions().resolve_sensor_def("changed_outside")
            told = sensor(dg.build_sensor_context(instance=instance))
            for event in getattr(told, "asset_events", ()):
                instance.report_runless_asset_event(event)
            return told

    def newest(self, name: str) -> dg.AssetMaterialization | None:
        """Return the newest event that tells of a dataset."""
        with self.instance() as instance:
            event = instance.get_latest_materialization_event(dg.AssetKey([name]))
            return event.asset_materialization if event else None

    def checks(self, name: str) -> dict[str, Any]:
        """Return {check: its newest evaluation} of a dataset."""
        keys = [
            key for key in self.definitions().resolve_asset_graph().asset_check_keys if key.asset_key.path == [name]
        ]
        with self.instance() as instance:
            records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
            return {
                key.name: record.event.dagster_event.asset_check_evaluation_data
                for key, record in records.items()
                if record.status in RESULTS
            }

    def said(self) -> list[str]:
        """Return the lines in the log of the newest run."""
        with self.instance() as instance:
            (run,) = instance.get_runs(limit=1)
            return [record.event_log_entry.user_message for record in instance.get_records_for_run(run.run_id).records]
