"""Real runs on clusters: a Slurm of this machine's own, and what stands in for others."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from project import Project, copy_folder, copy_repository
from slurm import Slurm, missing


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A Slurm with two nodes of two cores each; one for all tests, which leave it as they found it."""
    if lacking := missing():
        # Skipped in CI, nobody would see that nothing was tried.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lacking)
    with tempfile.TemporaryDirectory() as folder, Slurm(Path(folder)) as running:
        yield running


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
