"""Fixtures that every kind of test shares."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support import MIRROR, ROOT, Server

# Machines are slow at times; that is no reason to fail.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


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
