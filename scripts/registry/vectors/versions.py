"""The versions that can be loaded: releases of the embeddings, and what is built here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.embedding.table import FILE
from registry.errors import RegistryError
from registry.release.assess import NotReady, read_built
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot, snapshot_at
from registry.storage.tags import find_release, releases
from registry.vectors.settings import DATASET

DIGITS = 12
"""Of the content hash, in the name of a version that is not released."""
MODEL = ("name", "sha256", "precision", "max_tokens")


@dataclass(frozen=True)
class Version:
    """A state of the embeddings; `file` returns the path of its vectors, and fetches them at need."""

    name: str
    snapshot: Snapshot
    file: Callable[[], Path]

    @property
    def released(self) -> bool:
        """Whether it is a release, or has the content of one."""
        return self.name.startswith(f"{DATASET}-v")

    @property
    def content_hash(self) -> str:
        """The hash of texts, ids and model."""
        return self.snapshot.content_hash

    @property
    def model(self) -> dict[str, Any]:
        """What decides its vectors."""
        return {key: self.snapshot.metadata["model"][key] for key in MODEL}

    @property
    def dimension(self) -> int:
        """The length of its vectors."""
        return self.snapshot.metadata["model"]["dimension"]

    @property
    def rows(self) -> int:
        """How many chunks it has."""
        return sum(split["num_samples"] for split in self.snapshot.metadata["splits"].values())


def released_version(here: Repository, version: str) -> Version:
    """Return a release: `1.0.0`, its tag, or `latest`. Raises RegistryError where there is none."""
    release = find_release(here.git, DATASET, version)
    snapshot = snapshot_at(here.git, here.store, DATASET, release.commit)

    def fetched() -> Path:
        here.store.fetch([snapshot.data_md5])
        return here.store.path(here.store.listing(snapshot.data_md5)[FILE])

    return Version(release.tag, snapshot, fetched)


def built_version(here: Repository) -> Version:
    """Return what lies in data/: the newest release with its content, else `unreleased-<hash>`. Raises NotReady."""
    snapshot = read_built(here.root, DATASET).snapshot
    same = [one for one in releases(here.git).get(DATASET, []) if one.content_hash == snapshot.content_hash]
    name = same[-1].tag if same else f"unreleased-{snapshot.content_hash.partition(':')[2][:DIGITS]}"
    path = here.root / "data" / DATASET / snapshot.provenance["data"]["path"] / FILE
    return Version(name, snapshot, lambda: path)


def find_version(here: Repository, version: str | None) -> Version:
    """Return a release, or what is built where no version is named. Raises RegistryError."""
    if version is not None:
        return released_version(here, version)
    try:
        return built_version(here)
    except NotReady as state:
        raise RegistryError(
            state.reason, where=f"data/{DATASET}", hint=f"{state.hint}, or name a version that is released"
        ) from None
