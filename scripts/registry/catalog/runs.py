"""The runs that have logged versions of a dataset to the MLflow server which MLFLOW_TRACKING_URI names."""

import os
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from registry.extras import needed
from registry.shown import redacted

VARIABLE = "MLFLOW_TRACKING_URI"
MOST = 200
"""Runs of a dataset that are asked for, the newest first."""
_BUDGET = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""What MLflow's client does unless the environment says otherwise: the catalog goes on without a server."""


class LoggedRuns:
    """Asks MLflow for runs, until it cannot be asked: `say` is told why, once."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._address = say, os.environ.get(VARIABLE, "")
        self._client: Any = None
        if self._address.startswith(("http://", "https://")):
            for name, value in _BUDGET.items():
                os.environ.setdefault(name, value)
            self._client = needed("mlflow").MlflowClient()

    def of(self, dataset: str) -> dict[str, list[dict[str, str]]]:
        """Return {md5 of a version's data: name, address and status of each run that has logged it}."""
        if self._client is None:
            return {}
        exceptions = needed("mlflow.exceptions")
        try:
            experiments = [one.experiment_id for one in self._client.search_experiments()]
            runs = self._client.search_runs(experiments, f"dataset.name = '{dataset}'", max_results=MOST)
        except exceptions.MlflowException as error:
            self._client = None
            self._say(f"the catalog names no runs: MLflow says {redacted(str(error).partition(chr(10))[0])[:200]}")
            return {}
        found: dict[str, list[dict[str, str]]] = defaultdict(list)
        for run in runs:
            place = f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
            address = f"{redacted(self._address).rstrip('/')}/{place}"
            about = {"name": str(run.info.run_name), "address": address, "status": str(run.info.status)}
            for given in run.inputs.dataset_inputs:
                if given.dataset.name == dataset and about not in found[given.dataset.digest]:
                    found[given.dataset.digest].append(about)
        return dict(found)
