"""The profile `kubernetes`: real runs whose pods share no files, with a stand-in for Kubernetes and a real S3 server."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_kubernetes import NAMESPACE, FakeKubernetes, Pod

from clone import Clone, under_git
from project import copy_folder, copy_repository
from s3 import S3Server
from support import ROOT, wait_until

PROFILE = "workflow/profiles/kubernetes"
BUCKET = "registry-exchange"
WINE = ["wine_quality"]


@pytest.fixture(scope="module")
def s3(tmp_path_factory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3"), buckets=(BUCKET,)) as server:
        yield server


@pytest.fixture
def kubernetes(tmp_path) -> Iterator[FakeKubernetes]:
    """A cluster; whatever becomes of a run, nothing of it is left there."""
    with FakeKubernetes(tmp_path / "kubernetes") as cluster:
        yield cluster
        assert cluster.left() == []


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Clone:
    """A clone in which nothing was built, to copy."""
    return under_git(copy_repository(tmp_path_factory.mktemp("fresh") / "registry"))


class Cluster:
    """A clone whose runs take the profile, and what they run on."""

    def __init__(self, clone: Clone, kubernetes: FakeKubernetes, s3: S3Server) -> None:
        self.clone, self.kubernetes, self.s3 = clone, kubernetes, s3
        clone.edit(f"{PROFILE}/config.yaml", "seconds-between-status-checks: 5", "seconds-between-status-checks: 1")
        clone.edit(f"{PROFILE}/config.yaml", "latency-wait: 30", "latency-wait: 3")
        prefix = f"s3://{BUCKET}/{clone.folder.parent.name}"
        clone.edit(f"{PROFILE}/config.yaml", "s3://registry-exchange/runs", prefix)
        endpoint = "# storage-s3-endpoint-url: https://s3.example.org"
        clone.edit(f"{PROFILE}/config.yaml", endpoint, f"storage-s3-endpoint-url: {s3.url}")
        self.bucket = s3.client()
        self.prefix = f"{clone.folder.parent.name}/"

    def environment(self, **extra: str) -> dict[str, str]:
        return {
            **self.clone.environment(),
            **self.s3.environment(self.s3.admin),
            "KUBECONFIG": str(self.kubernetes.config),
            **extra,
        }

    def run(self, *arguments: str, code: int = 0, **extra: str) -> str:
        """Run snakemake with the profile and return what it printed."""
        done = self.start(*arguments, **extra)
        printed, _ = done.communicate(timeout=600)
        assert done.returncode == code, printed
        assert "Traceback" not in printed
        return printed

    def start(self, *arguments: str, **extra: str) -> subprocess.Popen:
        return subprocess.Popen(
            ["snakemake", "--workflow-profile", PROFILE, *arguments],
            cwd=self.clone.folder,
            env=self.environment(**extra),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def keys(self) -> list[str]:
        """Return what is in the bucket, without the run's prefix."""
        listed = self.bucket.list_objects_v2(Bucket=BUCKET, Prefix=self.prefix)
        return [one["Key"].removeprefix(self.prefix) for one in listed.get("Contents", [])]

    def asked(self, rule: str) -> list[dict[str, Any]]:
        """Return the jobs of a rule that Kubernetes was asked for."""
        return [job for job in self.kubernetes.sent if f"{rule}:" in _container(job)["args"][1]]


def _container(job: dict[str, Any]) -> dict[str, Any]:
    return job["spec"]["template"]["spec"]["containers"][0]


@pytest.fixture
def cluster(fresh, kubernetes, s3, tmp_path) -> Cluster:
    copy_folder(fresh.folder, tmp_path / "registry")
    return Cluster(Clone(tmp_path / "registry"), kubernetes, s3)


def test_what_pods_make_is_brought_released_once_and_done_for_a_local_run(cluster, tmp_path):
    targets = ["wine_quality", "tabular", "radiology_mini"]
    local = Clone(tmp_path / "local")
    copy_folder(cluster.clone.folder, local.folder)
    local.run("snakemake", "--cores", "2", *targets)

    cluster.run(*targets)

    assert cluster.clone.products() == local.products()
    assert cluster.clone.git("rev-parse", "HEAD^{tree}:data") == local.git("rev-parse", "HEAD^{tree}:data")
    assert cluster.clone.tags() == local.tags() != []
    assert cluster.clone.git("rev-list", "--count", "HEAD") == local.git("rev-list", "--count", "HEAD")
    assert "Nothing to be done" in cluster.clone.run("snakemake", "-n", *targets)
    assert "Nothing to be done" in cluster.run(*targets)
    assert not [key for key in cluster.keys() if key.startswith("snakemake-workflow-sources")]
