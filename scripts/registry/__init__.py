"""The data registry: what rules, hooks and tests share, and `open_dataset` for those who read datasets."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    # Named by a string: what builds data must not depend on the client, whose code is in no dataset's fingerprint.
    if name == "open_dataset":
        return import_module("registry.client").open_dataset
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
