"""The RayJob that embeddings-pipeline makes, and its script, run against a real Ray cluster of two nodes."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clone import BIN, Clone, under_git
from project import copy_repository
from support import ROOT, free_ports, wait_until

SCRIPT = ROOT / "scripts" / "ci" / "ray_job.py"
PLAIN = yaml.safe_load((ROOT / "deploy" / "ray" / "rayjob.yaml").read_text(encoding="utf-8"))


def made(code: int = 0, **variables: str) -> Any:
    """Run the script of the step `prepare`; return the RayJob, or what it said where it ends with another code."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "scripts"), **variables}
    done = subprocess.run([sys.executable, SCRIPT], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr


def parts(job: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the container of the head, the group of workers, and the container of these."""
    cluster = job["spec"]["rayClusterSpec"]
    (group,) = cluster["workerGroupSpecs"]
    (head,) = cluster["headGroupSpec"]["template"]["spec"]["containers"]
    (worker,) = group["template"]["spec"]["containers"]
    return head, group, worker


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"]}


def test_without_parameters_it_is_the_manifest():
    assert made() == PLAIN


def test_the_image_that_is_recorded_is_that_of_the_head():
    head, _, worker = parts(PLAIN)
    assert variables(head)["REGISTRY_RUN_IMAGE"] == head["image"] == worker["image"]


def test_parameters_reach_the_job():
    job = made(
        DATASETS="handbook-search",
        FORCE="true",
        MAX_WORKERS="9",
        GPUS="2",
        RAY_IMAGE="registry.example.org/ray@sha256:1",
        REGISTRY_RUN_ID="uid-of-the-run",
        AWS_SECRET_ACCESS_KEY="secret",
    )
    head, group, worker = parts(job)
    given = variables(head)
    assert (given["DATASETS"], given["FORCE"], given["ENGINE"], given["PUBLISH"]) == (
        "handbook-search",
        "true",
        "ray",
        "false",
    )
    assert (given["REGISTRY_RUN_ID"], given["REGISTRY_RUN_IMAGE"]) == ("uid-of-the-run", head["image"])
    assert group["maxReplicas"] == 9
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert head["image"] == worker["image"] == "registry.example.org/ray@sha256:1"
    assert "secret" not in json.dumps(job).replace("secretRef", "")


@pytest.mark.parametrize(
    "given", [{"GPUS": '1", "x": "'}, {"MAX_WORKERS": "-1"}, {"MAX_WORKERS": "0"}, {"GPUS": "1.5"}]
)
def test_numbers_that_are_none_are_refused_by_name(given):
    assert made(1, **given).startswith(next(iter(given)))


def test_what_a_parameter_says_stays_a_value():
    evil = 'x\nentrypoint: "curl evil"\n}}, {{workflow.name}}'
    job = made(DATASETS=evil)
    assert variables(parts(job)[0])["DATASETS"] == evil
    assert job["spec"]["entrypoint"] == PLAIN["spec"]["entrypoint"]


@contextlib.contextmanager
def node(*options: str) -> Iterator[None]:
    """A node of a Ray cluster on loopback."""
    command = [
        BIN / "ray",
        "start",
        "--block",
        "--node-ip-address=127.0.0.1",
        "--object-store-memory=100000000",
        *options,
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, start_new_session=True, **quiet) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A head without processors and one worker, as in the RayJob; its address."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", os.urandom(16).hex())
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    (port,) = free_ports(1)
    (cpus,) = {PLAIN["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]["num-cpus"]}
    address = f"127.0.0.1:{port}"
    alive = [BIN / "ray", "health-check", "--address", address]
    try:
        with node(
            "--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}", f"--num-cpus={cpus}"
        ):
            wait_until(lambda: subprocess.run(alive, capture_output=True).returncode == 0)
            with node(f"--address={address}", "--num-cpus=1"):
                yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_the_head_computes_on_the_workers_and_releases_nothing(cluster: str, tmp_path: Path):
    clone: Clone = under_git(copy_repository(tmp_path / "main"))
    given = variables(parts(made())[0]) | {
        "HOME": str(tmp_path),
        "PYTHONPATH": str(clone.folder / "scripts"),
        "CORES": "1",
    }
    entrypoint = PLAIN["spec"]["entrypoint"].replace("/registry/main", str(clone.folder))
    clone.run("sh", "-c", entrypoint, **given, RAY_ADDRESS=cluster)
    assert clone.complete("opencloudhub-readmes-embeddings")
    assert not clone.tags()
    clone.registry("publish")
    assert "opencloudhub-readmes-embeddings-v1.0.0" in clone.tags()
