"""Tell addresses that name one file or folder from those that match several (`*`, `?`, `[a-z]`, `**` for folders)."""

import re

from registry.errors import RegistryError

_WILDCARD = re.compile(r"[*?\[]")


def has_wildcards(path: str) -> bool:
    """Tell whether a path matches several files."""
    return _WILDCARD.search(path) is not None


def fixed_part(pattern: str) -> str:
    """Return the folder that everything is in which a path with wildcards matches.

    Raises RegistryError for a `**` that is not all between two slashes.
    """
    if any("**" in part and part != "**" for part in pattern.split("/")):
        raise RegistryError("`**` stands for whole folders: write **/ before what is in them")
    folder, slash, _ = pattern[: _WILDCARD.search(pattern).start()].rpartition("/")
    return folder or slash
