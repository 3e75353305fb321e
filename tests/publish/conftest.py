"""Clones with real git histories, real DVC remotes and real releases."""

from pathlib import Path

import pytest

from clone import Clone, under_git
from project import copy_repository


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.workflow)


@pytest.fixture(scope="session")
def fresh_once(once) -> Clone:
    """A clone in which nothing was ever built; look but do not touch."""

    def make(folder: Path) -> str:
        under_git(copy_repository(folder))
        return ""

    return Clone(once("fresh", make))


@pytest.fixture
def fresh(fresh_once, tmp_path) -> Clone:
    """A copy of its own of a clone in which nothing was ever built."""
    return fresh_once.copied(tmp_path / "registry")


@pytest.fixture
def released(released_once, tmp_path) -> Clone:
    """A copy of its own of a clone with everything released as 1.0.0."""
    return released_once.copied(tmp_path / "registry")
