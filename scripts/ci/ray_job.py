"""Print the Ray job of deploy/ray/rayjob.yaml as JSON, with what the environment says about this run.

DATASETS, SOURCE and FORCE become variables of its head, where scripts/ci/run.sh reads them. RAY_IMAGE is the image of
all pods, MAX_WORKERS and GPUS are the numbers of workers and of the GPUs of each, and REGISTRY_RUN_* is recorded.

    python scripts/ci/ray_job.py | kubectl --namespace registry create --filename -
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from registry.errors import RegistryError

JOB = Path("deploy", "ray", "rayjob.yaml")
PASSED_ON = ("DATASETS", "SOURCE", "FORCE", "REGISTRY_RUN_ID", "REGISTRY_RUN_URL", "REGISTRY_RUN_ACTOR")


def number(environment: Mapping[str, str], name: str, default: int) -> int:
    """Return a number of the environment. Raises RegistryError where it is none."""
    given = environment.get(name) or str(default)
    if not (given.isascii() and given.isdigit() and len(given) <= 4):
        raise RegistryError(f"not a number from 0 to 9999: {given}", where=name)
    return int(given)


def ray_job(job: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the job with what the environment says. Raises RegistryError where it says nothing sensible."""
    cluster = job["spec"]["rayClusterSpec"]
    head = cluster["headGroupSpec"]["template"]["spec"]["containers"][0]
    given = {name: environment[name] for name in PASSED_ON if environment.get(name)}
    variables = {variable["name"]: variable["value"] for variable in head["env"]} | given
    (workers,) = cluster["workerGroupSpecs"]
    workers["maxReplicas"] = number(environment, "MAX_WORKERS", workers["maxReplicas"])
    if workers["maxReplicas"] < workers["minReplicas"]:
        raise RegistryError(f"at least {workers['minReplicas']} must be there", where="MAX_WORKERS")
    worker = workers["template"]["spec"]["containers"][0]
    if gpus := number(environment, "GPUS", 0):
        worker["resources"]["limits"]["nvidia.com/gpu"] = str(gpus)
    if image := environment.get("RAY_IMAGE"):
        for container in (head, worker, job["spec"]["submitterPodTemplate"]["spec"]["containers"][0]):
            container["image"] = image
        variables["REGISTRY_RUN_IMAGE"] = image
    head["env"] = [{"name": name, "value": value} for name, value in variables.items()]
    return job


def main() -> None:
    """Do it for this checkout."""
    job = yaml.safe_load(JOB.read_text(encoding="utf-8"))
    print(json.dumps(ray_job(job, os.environ)))


if __name__ == "__main__":
    try:
        main()
    except RegistryError as error:
        sys.exit(str(error))
