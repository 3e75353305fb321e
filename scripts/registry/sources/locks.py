"""Read the locks of a dataset's sources: the hashes that files without a known one had at their first download."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from registry.config.load import read_yaml
from registry.config.schema import validate

LOCK_SCHEMA = Path(__file__).with_name("lock.schema.yaml")


def read_lock(lock: Path) -> dict[str, dict[str, str]]:
    """Return {source mode: {file: sha256}} of config/locks/<name>.yaml; nothing where there is no such file.

    Raises RegistryError.
    """
    locked = (read_yaml(lock) or {}) if lock.is_file() else {}
    if locked:
        validate(locked, LOCK_SCHEMA, where=str(lock), hint="restore it: git checkout -- that file")
    return locked


def held_to(source: Mapping[str, Any], locked: Mapping[str, str]) -> list[str]:
    """Return the hashes that a source file is held to: those that are accepted, else the one that is locked."""
    file = source["file"]
    return source["sha256"] or ([locked[file]] if file in locked else [])
