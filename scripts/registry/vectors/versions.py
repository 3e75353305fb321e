"""The versions that can be loaded: releases of the embeddings, and what is built here."""

from dataclasses import replace
from typing import Any

from registry.config.embeddings import TABLE
from registry.errors import RegistryError
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady
from registry.storage.tags import find_release, releases, with_content

DIGITS = 12
"""Of the content hash, in the name of a version that is not released."""
MODEL = ("name", "sha256", "precision", "max_tokens")


def is_released(version: Snapshot) -> bool:
    """Tell whether it is a release, or has the content of one."""
    return version.name.startswith(f"{version.dataset}-v")


def model_of(version: Snapshot) -> dict[str, Any]:
    """Return what decides its vectors, and their length as `dimension`. Raises RegistryError where it does not say."""
    model = version.metadata.get("model", {})
    missing = [key for key in (*MODEL, "dimension") if key not in model]
    if missing:
        raise RegistryError(f"its metadata.json names no model.{missing[0]}", where=version.name)
    return {key: model[key] for key in (*MODEL, "dimension")}


def vectors_file(version: Snapshot) -> str:
    """Return where its vectors are in the repository."""
    return f"{version.data}/{TABLE}"


def released_version(here: Repository, dataset: str, version: str) -> Snapshot:
    """Return a release: `1.0.0`, its tag, or `latest`. Raises RegistryError where there is none."""
    release = find_release(here.git, dataset, version)
    return Snapshot.at(here, dataset, release.commit, release.tag)


def built_version(here: Repository, dataset: str) -> Snapshot:
    """Return what is in data/: as the newest release with its content, else `unreleased-<hash>`. Raises NotReady."""
    built = Snapshot.on_disk(here.root, dataset)
    same = with_content(here, releases(here.git).get(dataset, []), built.content_hash)
    name = same.tag if same else f"unreleased-{built.content_hash.partition(':')[2][:DIGITS]}"
    return replace(built, name=name)


def find_version(here: Repository, dataset: str, version: str | None) -> Snapshot:
    """Return a release, or what is built where no version is named. Raises RegistryError."""
    if version is not None:
        return released_version(here, dataset, version)
    try:
        return built_version(here, dataset)
    except NotReady as state:
        raise RegistryError(
            state.reason, where=f"data/{dataset}", hint=f"{state.hint}, or name a version that is released"
        ) from None
