"""Fixtures that every kind of test shares."""

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from clone import Clone, under_git
from mlflow_server import MLflowServer
from project import Project, copy_folder, copy_repository
from registry.storage.snapshot import ADDED
from support import FUZZ, MIRROR, ROOT, STRESS, Server, examples, shared

# Machines are slow at times; that is no reason to fail.
settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=not FUZZ,
    max_examples=examples(100),
)
settings.load_profile("patient")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for `make stress` alone."""
    left_out = [] if STRESS else [item for item in items if item.get_closest_marker("stress")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Let no search for garbage go through all that was imported and collected."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def http_server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder with the full sources; tests that need it are skipped where there is none."""
    if not MIRROR.is_dir():
        pytest.skip(f"needs the full sources in {MIRROR.relative_to(ROOT.parent)}, which is not there")
    return MIRROR


@pytest.fixture(scope="session")
def mlflow_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real MLflow server, which all workers share."""
    if not os.environ.get("MLFLOW_BIN"):
        pytest.skip("needs a real MLflow server: set MLFLOW_BIN to an mlflow executable of another environment")
    folder = _shared_folder(tmp_path_factory) / "mlflow"
    folder.mkdir(exist_ok=True)
    with shared(MLflowServer(folder), folder) as server:
        yield server.address


def _shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], str]], Path]:
    """Call `once(name, make)` to have a folder made, once for all workers: look at it, but do not touch.

    `make` gets the path of the new folder. What it returns is kept beside it, in `<name>.log`.
    """
    place = _shared_folder(tmp_path_factory)

    def made(name: str, make: Callable[[Path], str]) -> Path:
        folder, log = place / name, place / f"{name}.log"
        with FileLock(place / f"{name}.lock"):
            if not log.exists():
                printed = make(folder)
                log.write_text(printed, encoding="utf-8")
        return folder

    return made


@pytest.fixture(scope="session")
def released_once(once) -> Clone:
    """A clone with everything built and released as 1.0.0 by one run; shared by all tests, so look but do not touch."""
    return Clone(once("released", lambda folder: under_git(copy_repository(folder)).run("snakemake", "--cores", "2")))


@pytest.fixture(scope="session")
def built_once(once, released_once) -> Project:
    """A repository with everything built, not under git, whose runs release nothing; look but do not touch."""

    def make(folder: Path) -> str:
        def released(inside: str, names: list[str]) -> set[str]:
            stored = {"cache", "storage", "tmp"} if Path(inside).name == ".dvc" else {".git"}
            cards = {*ADDED} if Path(inside).parent.name == "data" else set()
            return {name for name in names if name in stored | cards or fnmatch(name, "?*.dvc")}

        shutil.copytree(released_once.folder, folder, symlinks=True, ignore=released)
        Project(folder).edit("config/config.yaml", "publish: true", "publish: false")
        return released_once.folder.with_suffix(".log").read_text(encoding="utf-8")

    return Project(once("built", make))


@pytest.fixture
def bare(tmp_path) -> Project:
    """A repository in which nothing was ever built, and whose runs release nothing."""
    project = copy_repository(tmp_path / "registry")
    project.edit("config/config.yaml", "publish: true", "publish: false")
    return project


@pytest.fixture
def built(built_once, tmp_path) -> Project:
    """A copy of its own of a repository with everything built."""
    copy_folder(built_once.folder, tmp_path / "registry")
    return Project(tmp_path / "registry")
