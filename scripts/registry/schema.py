"""Check configuration and metadata against the JSON schemas in workflow/schemas/."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from registry.errors import RegistryError

SCHEMAS = Path(__file__).resolve().parents[2] / "workflow" / "schemas"


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8"))
    return validator_for(schema, default=Draft202012Validator)(schema)


def validate(value: Any, schema: str, *, where: str) -> None:
    """Raise one RegistryError that names every key of `value` which breaks workflow/schemas/<schema>.schema.yaml."""
    errors = sorted(_validator(schema).iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
    if errors:
        lines = [f"  {'.'.join(map(str, error.absolute_path)) or '(top level)'}: {error.message}" for error in errors]
        raise RegistryError(
            "not valid:\n" + "\n".join(lines),
            where=where,
            hint=f"mend these keys; workflow/schemas/{schema}.schema.yaml and config/README.md describe them all",
        )
