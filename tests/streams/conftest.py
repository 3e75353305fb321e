"""A broker that all tests of streams share, and a registry with a topic of its own for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clone import Clone
from shop import Shop
from tansu import Tansu
from tiny import make_tiny


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.workflow)


@pytest.fixture(scope="session")
def broker(tmp_path_factory) -> Iterator[Tansu]:
    """A real broker, which keeps messages in memory."""
    with Tansu(tmp_path_factory.mktemp("tansu")) as tansu:
        yield tansu


@pytest.fixture
def topic(broker, request) -> str:
    """A topic of three partitions for one test."""
    name = f"t-{abs(hash(request.node.nodeid))}"
    broker.create(name)
    return name


@pytest.fixture(scope="session")
def registry_once(once) -> Clone:
    def make(folder: Path) -> str:
        make_tiny(folder)
        return ""

    return Shop(once("shop", make))


@pytest.fixture
def empty(registry_once, tmp_path) -> Shop:
    """A registry of its own in which no stream is configured."""
    return Shop(registry_once.copied(tmp_path / "registry").folder)


@pytest.fixture
def shop(empty, broker, topic) -> Shop:
    """A registry of its own whose dataset grows from the topic."""
    empty.listen(broker.address, topics=[topic], batch={"messages": 20})
    return empty
