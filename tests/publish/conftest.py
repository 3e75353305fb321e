"""Clones with real git histories, real DVC remotes and real releases."""

import os
from pathlib import Path

import pytest
from filelock import FileLock

from clone import Clone, under_git
from project import copy_repository


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.workflow)


@pytest.fixture
def fresh(tmp_path) -> Clone:
    """A clone in which nothing was ever built."""
    return under_git(copy_repository(tmp_path / "registry"))


@pytest.fixture(scope="session")
def released_once(tmp_path_factory) -> Clone:
    """A clone with everything built and released as 1.0.0 by one run; shared by all tests, so look but do not touch."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "released"
    with FileLock(shared / "released.lock"):
        if not (folder.parent / "released.log").exists():
            clone = under_git(copy_repository(folder))
            printed = clone.run("snakemake", "--cores", "2")
            (folder.parent / "released.log").write_text(printed, encoding="utf-8")
    return Clone(folder)


@pytest.fixture
def released(released_once, tmp_path) -> Clone:
    """A copy of its own of a clone with everything released as 1.0.0."""
    return released_once.copied(tmp_path / "registry")
