"""The versions that can be loaded: releases of the embeddings, and what is built here."""

from dataclasses import replace
from typing import Any

from registry.embedding.table import FILE
from registry.errors import RegistryError
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady
from registry.storage.tags import find_release, releases, with_content
from registry.vectors.settings import DATASET

DIGITS = 12
"""Of the content hash, in the name of a version that is not released."""
MODEL = ("name", "sha256", "precision", "max_tokens")


def is_released(version: Snapshot) -> bool:
    """Tell whether it is a release, or has the content of one."""
    return version.name.startswith(f"{DATASET}-v")


def model_of(version: Snapshot) -> dict[str, Any]:
    """Return what decides its vectors, and their length as `dimension`. Raises RegistryError where it does not say."""
    model = version.metadata.get("model", {})
    missing = [key for key in (*MODEL, "dimension") if key not in model]
    if missing:
        raise RegistryError(f"its metadata.json names no model.{missing[0]}", where=version.name)
    return {key: model[key] for key in (*MODEL, "dimension")}


def vectors_file(version: Snapshot) -> str:
    """Return where its vectors are in the repository."""
    return f"{version.data}/{FILE}"


def released_version(here: Repository, version: str) -> Snapshot:
    """Return a release: `1.0.0`, its tag, or `latest`. Raises RegistryError where there is none."""
    release = find_release(here.git, DATASET, version)
    return Snapshot.at(here, DATASET, release.commit, release.tag)


def built_version(here: Repository) -> Snapshot:
    """Return what is in data/: as the newest release with its content, else `unreleased-<hash>`. Raises NotReady."""
    built = Snapshot.on_disk(here.root, DATASET)
    same = with_content(here, releases(here.git).get(DATASET, []), built.content_hash)
    name = same.tag if same else f"unreleased-{built.content_hash.partition(':')[2][:DIGITS]}"
    return replace(built, name=name)


def find_version(here: Repository, version: str | None) -> Snapshot:
    """Return a release, or what is built where no version is named. Raises RegistryError."""
    if version is not None:
        return released_version(here, version)
    try:
        return built_version(here)
    except NotReady as state:
        raise RegistryError(
            state.reason, where=f"data/{DATASET}", hint=f"{state.hint}, or name a version that is released"
        ) from None
