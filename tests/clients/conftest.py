"""What consumers meet: releases in a git repository and on an S3 server, a Ray cluster, an MLflow server."""

import os
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from registry_of_two_versions import Registry

from project import Project
from s3 import S3Server
from support import shared
from tiny import make_tiny
from trainer import call_in_trainer

TOKEN = secrets.token_hex(32)
"""Of the Ray clusters: a process that has met one token takes no other."""


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory, built_once: Project) -> Iterator[Registry]:
    """Two versions of datasets, released to a server that runs; shared by all tests, so look but do not touch."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "registry-of-two-versions"
    folder.mkdir(exist_ok=True)
    with shared(S3Server(folder / "s3"), folder) as server:
        registry = Registry(folder, server)
        with FileLock(folder / "made.lock"):
            if not (folder / "made").exists():
                registry.make(built_once)
                (folder / "made").touch()
        yield registry


@pytest.fixture
def elsewhere(registry, tmp_path, monkeypatch) -> Iterator[Path]:
    """An empty folder to be in, as somebody who may read the remote and has read nothing yet."""
    from dvc.repo.open_repo import clean_repos
    from s3fs import S3FileSystem

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / ".site-cache"))
    monkeypatch.setenv("REGISTRY_CACHE", str(tmp_path / ".cache"))
    registry.admit(monkeypatch, registry.server.reader)
    yield tmp_path
    clean_repos()
    S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="module")
def ray(registry) -> Iterator[object]:
    """A Ray cluster of this machine alone, whose workers may read the remote."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in registry.server.environment(registry.server.reader).items():
            patch.setenv(name, value)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_TOKEN", TOKEN)
        import ray

        ray.init(num_cpus=2, include_dashboard=False, object_store_memory=300 << 20, _node_ip_address="127.0.0.1")
        yield ray
        ray.shutdown()


@pytest.fixture(scope="module")
def mlflow(mlflow_address: str) -> Iterator[str]:
    """The address of a real MLflow server, which is the one to use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_TRACKING_URI", mlflow_address)
        yield mlflow_address


@pytest.fixture
def trainer(elsewhere) -> Callable[..., Any]:
    """Call a function in the environment of those who train: see `call_in_trainer`."""
    return partial(call_in_trainer, elsewhere)


@pytest.fixture(scope="session")
def released_tiny(once) -> Path:
    """Two datasets, of one several versions; look but do not touch."""

    def make(folder: Path) -> str:
        tiny = make_tiny(folder)
        tiny.build("letters", 10)
        tiny.build("numbers", 20)
        printed = tiny.registry("publish")
        tiny.git("tag", "--annotate", "--message", "numbers 1.9.0", "numbers-v1.9.0", "numbers-v1.0.0^{}")
        tiny.build("numbers", 30)
        tiny.commit("More numbers")
        printed += tiny.registry("publish")
        tiny.build("numbers", 5)
        tiny.commit("Fewer numbers")
        return printed + tiny.registry("publish")

    return once("released-tiny", make)
