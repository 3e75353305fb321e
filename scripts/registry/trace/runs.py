"""Tell which run made a version, as far as its provenance.json says."""

from collections.abc import Iterable
from contextlib import suppress

from registry.errors import RegistryError
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot


def runs_of(repository: Repository, dataset: str, tags: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return {tag: what its version says of the run that made it}, without those that say nothing or cannot be read."""
    found = {}
    for tag in tags:
        with suppress(RegistryError):
            if run := Snapshot.at(repository, dataset, tag).provenance.get("run"):
                found[tag] = run
    return found
