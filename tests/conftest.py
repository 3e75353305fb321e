"""Fixtures that every kind of test shares."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import MIRROR, ROOT, Server


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
