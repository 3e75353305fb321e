"""A checkout of the registry: its git repository, its data store, its settings."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from registry import gate
from registry.config.load import Datasets, check_samples, load_datasets, normalise, read_yaml
from registry.config.schema import validate
from registry.errors import RegistryError
from registry.storage.dvc import Store
from registry.storage.git import Git
from registry.storage.tags import other_names

CONFIG = "config/config.yaml"


@dataclass(frozen=True)
class Settings:
    """The `release` part of config/config.yaml."""

    remote: str | None
    branch: str | None
    push: bool
    identity: str | None
    reached_by: list[str] = field(default_factory=list)


def _normalised(config: Any) -> dict[str, Any]:
    if not isinstance(config, dict):
        raise RegistryError("not a mapping of keys to values", where=CONFIG, hint=f"git checkout {CONFIG}")
    return normalise(config)


def read_config(root: Path) -> dict[str, Any]:
    """Return the top-level configuration of the checkout at `root`, as a run would take it. Raises RegistryError."""
    return _normalised(read_yaml(root / CONFIG))


class NoRepositoryError(RegistryError):
    """The folder is no checkout of the registry under git."""


@dataclass
class Repository:
    """What the releasing side works on."""

    root: Path
    git: Git
    store: Store
    _datasets: dict[str, Datasets] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, root: Path) -> "Repository":
        """Return the repository at `root`. Raises NoRepositoryError with what is missing."""
        root = root.resolve()
        if not (root / CONFIG).is_file():
            raise NoRepositoryError("no registry here", where=root, hint="cd into a registry, or name it with --repo")
        git = Git.find(root)
        if git is None:
            raise NoRepositoryError(
                "not under git", where=root, hint="git init && git add . && git commit, or clone it again"
            )
        if not (root / ".dvc" / "config").is_file():
            raise NoRepositoryError("no .dvc/config here", where=root, hint="git checkout .dvc/config, or dvc init")
        return cls(root, git, Store(root, git))

    @cached_property
    def settings(self) -> Settings:
        """How to release, as the working tree says."""
        config = read_config(self.root)
        validate(config, "config", where=CONFIG)
        return Settings(**config["release"])

    def committed_datasets(self, revision: str) -> Datasets:
        """Return every dataset as a run without overrides would take it, once its own file was committed.

        That is: config/datasets/*.yaml of the working tree (a release commits them), config/config.yaml of a revision.
        """
        if revision not in self._datasets:
            content = self.git.read(revision, [CONFIG]).get(CONFIG)
            if content is None:
                raise RegistryError("not committed", where=CONFIG, hint=f"git add {CONFIG} && git commit")
            config = _normalised(gate.read_yaml(content, where=f"{CONFIG}, as committed"))
            # Where a mirror lies is nobody's business but the run's, and does not show in the data.
            self._datasets[revision] = load_datasets(config | {"mirror": "anywhere"}, self.root)
            check_samples(self._datasets[revision], self.root)
        return self._datasets[revision]

    def names(self) -> list[str]:
        """Return the names of the datasets that are configured, built or released here, sorted.

        Where the tag of an alias is checked out, its folder is none of a dataset.
        """
        configured = {path.stem for path in (self.root / "config" / "datasets").glob("*.yaml")}
        built = {path.parent.name for path in (self.root / "data").glob("*/metadata.json")}
        others = built - configured
        if others:
            head = self.git.commit()
            others -= {alias.name for alias in other_names(self.git) if alias.commit == head}
        return sorted(configured | others)
