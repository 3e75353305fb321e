"""One state of a dataset: a release of it, or what is built."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from registry.errors import RegistryError
from registry.storage.dvc import Store
from registry.storage.git import Git


class NoReleaseError(RegistryError):
    """A commit or tag holds no release of a dataset."""


@dataclass(frozen=True)
class Snapshot:
    """What describes a state of a dataset; `manifest` returns the path of its manifest, and fetches it at need."""

    dataset: str
    metadata: dict[str, Any]
    provenance: dict[str, Any]
    manifest: Callable[[], Path]

    @property
    def content_hash(self) -> str:
        """The hash of schema and samples."""
        return self.metadata["content_hash"]

    @property
    def data_md5(self) -> str:
        """DVC's digest of the data's bytes."""
        return self.provenance["data"]["md5"]


def dvc_md5(content: bytes) -> str:
    """Return the md5 that a .dvc file records for its one output. Raises RegistryError where it records none."""
    try:
        return yaml.safe_load(content)["outs"][0]["md5"]
    except (yaml.YAMLError, ValueError, KeyError, IndexError, TypeError):
        start = content[:60].decode(errors="replace").partition("\n")[0]
        raise RegistryError(
            f"a .dvc file under data/ is none of DVC's: it begins with {start!r}", hint="git checkout -- that file"
        ) from None


def snapshot_at(git: Git, store: Store, dataset: str, revision: str) -> Snapshot:
    """Return the state of a dataset that a commit or tag holds. Raises NoReleaseError where it holds none."""
    folder = f"data/{dataset}"
    names = ("metadata.json", "provenance.json", "manifest.parquet.dvc")
    files = git.read(revision, [f"{folder}/{name}" for name in names])
    if len(files) < len(names):
        raise NoReleaseError(f"{revision} holds no release of {dataset}", hint="`registry log` lists the versions")
    metadata, provenance, manifest = files.values()
    md5 = dvc_md5(manifest)
    return Snapshot(dataset, json.loads(metadata), json.loads(provenance), lambda: store.files([md5])[md5])
