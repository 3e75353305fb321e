"""What datasets and their versions may be called, and what the rules, modules and folders of a dataset are called."""

import re
from collections.abc import Iterable

NAME = r"[a-z0-9]+(-[a-z0-9]+)*"
LONGEST = 100
"""Characters of a name: it is part of the names of folders, files and tags."""
VERSION = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")
"""A full version number."""
TAKEN = (
    "all",
    "all-rules",
    "ci",
    "common",
    "kinds",
    "kinds-embeddings",
    "left-out",
    "refusals",
    "refuse-file",
    "refuse-target",
    "registry",
    "samples",
    "shared",
    "steps",
)
"""Names that rules, their modules and folders have already."""


def is_name(name: str) -> bool:
    """Tell whether a dataset may have this name."""
    return len(name) <= LONGEST and bool(re.fullmatch(NAME, name)) and name not in TAKEN


def rule_of(dataset: str) -> str:
    """Return what a dataset is called in the names of its rules, of their module, and of the folder of its scripts."""
    return dataset.replace("-", "_")


def tagged_alike(name: str) -> list[str]:
    """Return the names, the shortest first, of which a version's tag could begin as one of this name's does."""
    return [name[: match.start()] for match in re.finditer("-v", name)]


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return which of the known names somebody may have meant; None where none is like it."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(known), n=1)), None)
