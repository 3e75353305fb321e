"""Check configuration and metadata against their JSON schemas."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from registry.errors import RegistryError

SCHEMAS = Path(__file__).with_name("schemas")


@cache
def _validator(path: Path) -> Draft202012Validator:
    return Draft202012Validator(yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader))  # noqa: S506  it is safe


def _breaches(value: Any, path: Path) -> list[str]:
    errors = sorted(_validator(path).iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
    return [f"{'.'.join(map(str, error.absolute_path)) or '(top level)'}: {error.message}" for error in errors]


def breaches(value: Any, schema: str) -> list[str]:
    """Return what of `value` breaks schemas/<schema>.schema.yaml, one line for each place, the places sorted."""
    return _breaches(value, SCHEMAS / f"{schema}.schema.yaml")


def _validate(value: Any, path: Path, where: str) -> None:
    lines = _breaches(value, path)
    if lines:
        raise RegistryError(
            "not valid:\n" + "\n".join(f"  {line}" for line in lines),
            where=where,
            hint="fix these keys; config/README.md describes them all",
        )


def validate(value: Any, schema: str, *, where: str) -> None:
    """Raise one RegistryError that names every key of `value` which breaks schemas/<schema>.schema.yaml."""
    _validate(value, SCHEMAS / f"{schema}.schema.yaml", where)


def validate_params(params: dict[str, Any], dataset: str, root: Path) -> None:
    """Do the same with a dataset's params and its scripts/<dataset>/params.schema.yaml below `root`, if it has one."""
    path = root / "scripts" / dataset.replace("-", "_") / "params.schema.yaml"
    if path.is_file():
        _validate(params, path, f"config/datasets/{dataset}.yaml: params")
