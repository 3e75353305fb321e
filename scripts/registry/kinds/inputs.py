"""What the columns of a dataset are for, as its params and its contract say."""

from collections.abc import Mapping
from typing import Any

from registry.config.columns import is_text
from registry.config.kinds import AS_IS, PICTURES

TEXT, MESSAGES = "text", "messages"
"""The columns of documents, and of conversations."""
IMAGE, LABEL, CAPTION = "image", "label", "caption"
"""The columns of pictures, their classes, and what is said of them."""
PATH, SUFFIX, SHA256 = "path", "suffix", "sha256"
"""The columns of files that stay as they are: what names them, of which sort they are, what tells their bytes apart."""


def with_roles(kind: str, contract: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the params of a dataset, and what its columns are for where these do not say."""
    roles: dict[str, Any] = {}
    if kind == "documents":
        roles = {"text": TEXT}
    elif kind == AS_IS:
        roles = {"inputs": [SHA256], "counted": [SUFFIX]}
    elif kind in PICTURES:
        found = {"target": LABEL, "text": CAPTION}
        roles = {"inputs": [IMAGE]} | {role: name for role, name in found.items() if name in contract}
    return {**roles, **params}


def target_of(params: Mapping[str, Any]) -> str | None:
    """Return the column that is to be predicted; None where there is none."""
    return params.get("target") or params.get("label")


def inputs_of(contract: Mapping[str, Any], params: Mapping[str, Any]) -> list[str]:
    """Return the columns that say what a sample is about.

    Where the params do not name them, it is its text, its conversation, or all but the target.
    """
    if "inputs" in params:
        return [*params["inputs"]]
    if "text" in params:
        return [params["text"]]
    if params.keys() & {"messages", "pairs"}:
        return [MESSAGES]
    return [name for name in contract if name != target_of(params)] or [*contract]


def classes_of(contract: Mapping[str, Any], params: Mapping[str, Any]) -> list[str]:
    """Return the names of the classes that the target has, where they are known."""
    spec = contract.get(target_of(params))
    if spec is None or not is_text(spec):
        return []
    classes = params.get("classes", spec.get("values", []))
    return [*dict.fromkeys(classes.values() if isinstance(classes, Mapping) else classes)]
