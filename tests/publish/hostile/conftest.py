"""A registry to forge versions in, and a file beside it that nobody may touch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from forging import SECRET
from s3 import S3Server
from tiny import Tiny, make_tiny


@pytest.fixture(scope="package")
def two_once(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Two versions of letters, one of numbers."""
    clone = make_tiny(tmp_path_factory.mktemp("hostile") / "registry")
    for name in ("letters", "numbers"):
        clone.build(name, 10)
    clone.registry("publish")
    clone.build("letters", 20)
    clone.registry("publish")
    return clone


@pytest.fixture
def clone(two_once: Tiny, tmp_path: Path) -> Tiny:
    return two_once.copied(tmp_path / "deep" / "deeper" / "registry")


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file beside the registry that nobody may touch."""
    path = tmp_path / "victim" / "id_rsa"
    path.parent.mkdir()
    path.write_text(SECRET)
    return path


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server
