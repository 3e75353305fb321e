"""A registry of before, upgraded to the code of this checkout."""

from pathlib import Path

import pytest

from clone import Clone
from registry_of_before import respell, unpack, upgrade


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.workflow)


@pytest.fixture(scope="session")
def before_once(once) -> Clone:
    """A clone of the registry of before, upgraded, without data; shared by all tests, so look but do not touch."""

    def make(folder: Path) -> str:
        clone = unpack(folder)
        upgrade(clone)
        respell(clone)
        clone.commit("Upgrade")
        return ""

    return Clone(once("before", make))


@pytest.fixture(scope="session")
def pulled_once(once, before_once) -> Clone:
    """The same into which all data was pulled; look but do not touch."""

    def make(folder: Path) -> str:
        return before_once.copied(folder).registry("pull")

    return Clone(once("before-pulled", make))


@pytest.fixture
def before(pulled_once, tmp_path) -> Clone:
    """A copy of its own of the registry of before, upgraded, with its data."""
    return pulled_once.copied(tmp_path / "registry")
