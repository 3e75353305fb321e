"""Check configuration and metadata against JSON schemas."""

import math
from collections.abc import Iterable
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from registry.errors import RegistryError

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

SCHEMAS = Path(__file__).with_name("schemas")
HINT = "fix these keys; config/README.md describes them all"
MAX_BREACHES = 50
"""Breaches that are looked for: each of them takes memory, and a file of some MiB can have a million."""
SHOWN = 500
"""Characters of a breach that are shown: it names the value that is wrong, however long that is."""


@cache
def read_schema(path: Path) -> dict[str, Any]:
    """Return the content of a schema's file."""
    return yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)  # noqa: S506  it is safe


@cache
def _validator(path: Path) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend
    from referencing import Registry, Resource

    def read(uri: str) -> Resource:
        return Resource.from_contents(read_schema(path.with_name(uri)))

    item_by_item = Draft202012Validator.VALIDATORS["items"]

    def items(validator: Any, schema: Any, instance: Any, whole: Any) -> Iterable["ValidationError"]:
        # A profile has thousands of counts, each of which would take longer than all of them do here.
        if not _are_integers(instance, schema):
            yield from item_by_item(validator, schema, instance, whole) or ()

    validator = extend(Draft202012Validator, {"items": items})
    return validator(read_schema(path), registry=Registry(retrieve=read))


def _are_integers(values: Any, schema: Any) -> bool:
    """Tell whether these are integers that a schema of nothing else allows."""
    if not (isinstance(schema, dict) and isinstance(values, list)) or schema.get("type") != "integer":
        return False
    least = schema.get("minimum", -math.inf)
    return schema.keys() <= {"type", "minimum"} and all(type(value) is int and value >= least for value in values)


def breaches(value: Any, schema: str | Path) -> list[str]:
    """Return what of `value` breaks a schema, one line for each place, the places sorted; `and more` after too many.

    `schema` is the schema's file, or the name of one of schemas/<name>.schema.yaml.
    """
    path = schema if isinstance(schema, Path) else SCHEMAS / f"{schema}.schema.yaml"
    found = list(islice(_validator(path).iter_errors(value), MAX_BREACHES + 1))
    errors = sorted(found[:MAX_BREACHES], key=lambda error: list(map(str, error.absolute_path)))
    lines = [f"{'.'.join(map(str, error.absolute_path)) or '(top level)'}: {_message(error)}" for error in errors]
    shown = [line if len(line) <= SHOWN else f"{line[:SHOWN]}..." for line in lines]
    return [*shown, "and more"] if len(found) > MAX_BREACHES else shown


def _message(error: "ValidationError") -> str:
    """Return what is wrong: what the schema says for that under `says`, by keyword, else jsonschema's words."""
    says = error.schema.get("says", {}) if isinstance(error.schema, dict) else {}
    return says.get(error.validator) or error.message


def validate(value: Any, schema: str | Path, *, where: str, hint: str = HINT) -> None:
    """Raise one RegistryError that names every key of `value` which breaks a schema, as `breaches` takes it."""
    lines = breaches(value, schema)
    if lines:
        raise RegistryError("not valid:\n" + "\n".join(f"  {line}" for line in lines), where=where, hint=hint)
