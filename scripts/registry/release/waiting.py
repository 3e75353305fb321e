"""Find what was built and is not released, by git and provenance.json alone: nothing is hashed, no data is read."""

import re
from collections.abc import Iterable
from pathlib import Path

from registry.config.pins import PIN
from registry.release.record import blocked
from registry.storage.repository import Repository
from registry.storage.snapshot import PROVENANCE
from registry.storage.tags import releases

CONTENT = re.compile(rb'^  "content_hash": "(sha256:[0-9a-f]{64})"', re.MULTILINE)
"""The line of a provenance.json that holds the content hash; to parse a thousand of them takes longer than all else."""


def waiting(repository: Repository, names: Iterable[str]) -> list[str]:
    """Return those of these datasets that `registry publish` would release, or say why it does not, in this order.

    These are the ones whose provenance.json HEAD does not have, or whose content is not that of the newest release that
    HEAD contains. There are none where nothing can be released from here, and none that are pinned. Raises
    RegistryError.
    """
    if blocked(repository):
        return []
    git = repository.git
    uncommitted = git.uncommitted(f"data/*/{PROVENANCE}")
    released = {name: those[-1].content_hash for name, those in releases(git, merged=git.commit()).items()}
    return [
        name
        for name in names
        if (built := _content(repository, name)) is not None
        and (f"data/{name}/{PROVENANCE}" in uncommitted or built != released.get(name))
    ]


def _content(repository: Repository, name: str) -> str | None:
    """Return the content hash of what is built; None where nothing is, or the dataset is pinned."""
    if Path(repository.root, "data", name, PIN).exists():
        return None
    try:
        found = CONTENT.search(Path(repository.root, "data", name, PROVENANCE).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found[1].decode() if found else ""
