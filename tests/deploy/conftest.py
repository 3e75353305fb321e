"""The registry as it runs by itself: in containers, in workflows of GitHub Actions and Argo, and as Ray jobs."""

import os
from collections.abc import Iterator

import pytest

from podman import Podman, missing
from s3 import S3Server


@pytest.fixture(scope="session")
def podman() -> Podman:
    """The project's images, and the means to run them; see podman.py."""
    if lacking := missing():
        # Skipped in CI, nobody would see that nothing was tried.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lacking)
    return Podman()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server with the bucket `registry`."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server
