"""What an orchestrator sees of a checkout: its datasets as they are configured, and each one as it stands on disk."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.config.fingerprint import SCRIPTS
from registry.config.load import Datasets, check_samples, load_datasets, needed
from registry.config.pins import pin_of
from registry.errors import RegistryError
from registry.release.assess import SOMEWHERE
from registry.storage.git import Git
from registry.storage.repository import CONFIG, read_config
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady
from registry.storage.tags import Release, releases


def checkout_root() -> Path:
    """Return the top of the checkout around the current folder; that of the code where it is in none."""
    here = Path.cwd()
    return next((path for path in (here, *here.parents) if (path / CONFIG).is_file()), SCRIPTS.parent)


@dataclass(frozen=True)
class Checkout:
    """A checkout of the registry at `root`; `datasets` holds what is configured, with those that are broken."""

    root: Path
    datasets: Datasets
    config: dict[str, Any]

    @classmethod
    def at(cls, root: Path) -> "Checkout":
        """Read the configuration of the checkout at `root`. Raises RegistryError."""
        config = read_config(root)
        # Where a mirror lies is for the run to know, and does not show in the data.
        datasets = load_datasets(config | {"mirror": config.get("mirror") or SOMEWHERE}, root)
        check_samples(datasets, root)
        return cls(root, datasets, config)

    @property
    def names(self) -> list[str]:
        """Every dataset that has a file here, sorted."""
        return sorted({*self.datasets, *self.datasets.broken})

    def needs(self, name: str) -> list[str]:
        """Return the other datasets without which one cannot be built; none of one that is broken."""
        return [other for other in needed(self.datasets[name]) if other in self.names] if name in self.datasets else []

    def is_pinned(self, name: str) -> bool:
        """Tell whether a dataset is held at a version; one whose pin nobody can read is not."""
        try:
            return pin_of(self.root, name) is not None
        except RegistryError:
            return False

    def built(self, name: str) -> Snapshot | None:
        """Return a dataset as it stands on disk; None where it is not there, or not all of it."""
        try:
            return Snapshot.on_disk(self.root, name, quick=True)
        except NotReady:
            return None

    def release_of(self, snapshot: Snapshot) -> Release | None:
        """Return the newest release that has the content of what is built; None where none has, or without git."""
        git = Git.find(self.root)
        known: Sequence[Release] = releases(git).get(snapshot.dataset, []) if git else []
        return next((one for one in reversed(known) if one.content_hash == snapshot.content_hash), None)

    def environment(self) -> dict[str, str]:
        """Return the environment in which the commands of this checkout run, with its code before what is installed."""
        paths = [str(self.root / "scripts"), os.environ.get("PYTHONPATH", "")]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
