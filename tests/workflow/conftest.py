"""Real snakemake runs in temporary copies of the repository."""

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from project import Project, copy_repository


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.workflow)


@pytest.fixture
def bare(tmp_path) -> Project:
    """A repository in which nothing was ever built."""
    return copy_repository(tmp_path / "registry")


@pytest.fixture(scope="session")
def built_once(tmp_path_factory) -> Project:
    """A repository with everything built at --cores 2; shared by all tests, so look but do not touch."""
    shared = (
        tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else tmp_path_factory.getbasetemp()
    )
    folder = shared / "built"
    with FileLock(shared / "built.lock"):
        if not (folder / "printed.log").exists():
            project = copy_repository(folder)
            (folder / "printed.log").write_text(project.snakemake("--cores", "2"), encoding="utf-8")
    return Project(folder)


@pytest.fixture
def built(built_once, tmp_path) -> Project:
    """A copy of its own of a repository with everything built."""
    shutil.copytree(built_once.folder, tmp_path / "registry", symlinks=True)
    return Project(tmp_path / "registry")
