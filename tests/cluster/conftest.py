"""Real runs on clusters: a Slurm of this machine's own, and what stands in for others."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm import Slurm, missing


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A Slurm with two nodes of two cores each; one for all tests, which leave it as they found it."""
    if lacking := missing():
        # Skipped in CI, nobody would see that nothing was tried.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lacking)
    with tempfile.TemporaryDirectory() as folder, Slurm(Path(folder)) as running:
        yield running
