"""Real snakemake runs in temporary copies of the repository."""

from pathlib import Path

import pytest

from project import Project, copy_folder, copy_repository


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.workflow)


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
