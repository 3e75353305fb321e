"""Registries that a Dagster of their own runs."""

from pathlib import Path

import pytest

from clone import under_git
from orchestrated import OTHER, SMALL, Orchestrated
from project import copy_folder, copy_repository


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.workflow)


@pytest.fixture
def fresh(tmp_path) -> Orchestrated:
    """A registry in which nothing was ever built."""
    return Orchestrated(under_git(copy_repository(tmp_path / "registry")).folder)


@pytest.fixture(scope="session")
def materialized_once(once) -> Orchestrated:
    """A registry of which `dagster asset materialize` made two datasets in one run; look but do not touch."""

    def make(folder: Path) -> str:
        clone = Orchestrated(under_git(copy_repository(folder / "registry")).folder)
        return clone.materialize(SMALL, OTHER)

    return Orchestrated(once("materialized", make) / "registry")


@pytest.fixture
def materialized(materialized_once, tmp_path) -> Orchestrated:
    """A copy of its own of it, with what Dagster knows."""
    for folder in (materialized_once.folder, materialized_once.home):
        copy_folder(folder, tmp_path / folder.name)
    return Orchestrated(tmp_path / "registry")
