"""Write metadata.json: the facts of a dataset's data, in one shape for all datasets."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.config.fingerprint import SCRIPTS
from registry.config.names import rule_of
from registry.config.schema import breaches, read_schema, validate
from registry.errors import RegistryError
from registry.files import json_digest, write_json
from registry.gate import GateError

if TYPE_CHECKING:
    from registry.describe.manifest import Manifest

SCHEMA = Path(__file__).with_name("metadata.schema.yaml")
PROFILE = Path(__file__).with_name("profile.schema.yaml")
QUALITY = Path(__file__).with_name("quality.schema.yaml")
LEAKAGE = Path(__file__).with_name("leakage.schema.yaml")
FILLED_IN = "source_data_version"
"""Key of metadata.json that the release fills in: which version of another dataset the data was made of."""
DERIVED = ("profile", "quality", "leakage")
"""Keys of metadata.json that say more of the same rows, for people and gates: they make no version."""

Leaf = tuple[str, ...]
"""Where a value stands in metadata.json: the keys on the way to it."""


def leaves(value: Any, path: Leaf = ()) -> dict[Leaf, Any]:
    """Return every value of a JSON object that is not an object itself, by its place. Empty objects count as values."""
    if not isinstance(value, dict) or not value:
        return {path: value} if path else {}
    return {leaf: found for key, below in value.items() for leaf, found in leaves(below, (*path, key)).items()}


def is_number(value: Any) -> bool:
    """Tell whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def facts_of(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata without what the release fills in."""
    return {key: value for key, value in metadata.items() if key != FILLED_IN}


def declared_facts(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata without what the release fills in, and without what makes no version."""
    return {key: value for key, value in facts_of(metadata).items() if key not in DERIVED}


def metadata_digest(metadata: dict[str, Any]) -> str:
    """Return the hex SHA-256 of the facts of a metadata.json, however the file may lay them out."""
    return json_digest(facts_of(metadata))


def profile_of(metadata: dict[str, Any], *, where: str) -> dict[str, Any]:
    """Return the profile in a metadata.json, empty where it is from before profiles. Raises GateError for no such."""
    return _derived(metadata, "profile", PROFILE, where)


def quality_of(metadata: dict[str, Any], *, where: str) -> dict[str, Any]:
    """Return what is odd by a metadata.json, empty where it is from before that. Raises GateError for no such."""
    return _derived(metadata, "quality", QUALITY, where)


def leakage_of(metadata: dict[str, Any], *, where: str) -> dict[str, Any]:
    """Return the duplicates in a metadata.json, empty where none were looked for. Raises GateError for no such."""
    return _derived(metadata, "leakage", LEAKAGE, where)


def duplicates(leakage: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, int]]]:
    """Yield a split, the split or other dataset that its rows are like some of, and how many: `exact`, and `near`."""
    for where in ("splits", "against"):
        for split, others in leakage.get(where, {}).items():
            for other, numbers in others.items():
                yield split, other, numbers


def _derived(metadata: dict[str, Any], key: str, schema: Path, where: str) -> dict[str, Any]:
    if key not in metadata:
        return {}
    if wrong := breaches(metadata[key], schema):
        raise GateError(f"its {key} is not what a release writes: {wrong[0]}", where=where)
    return metadata[key]


def metadata_of(
    dataset: dict[str, Any],
    manifest: "Manifest",
    *,
    features: dict[str, dict[str, Any]] | None = None,
    splits: dict[str, dict[str, Any]] | None = None,
    **facts: Any,
) -> dict[str, Any]:
    """Return what metadata.json says of a dataset.

    `features` and `splits` add to what the manifest knows of each column (its dtype) and split (its num_samples);
    `facts` are further top-level keys (metrics, statistics, summary, ...).
    """
    return {
        "dataset": {"name": dataset["name"], **dataset["about"]},
        "schema": {
            "features": {
                column["name"]: {
                    "dtype": column["type"],
                    **(features or {}).get(column["name"], {}),
                    **({"computed": True} if column["name"] in manifest.computed else {}),
                }
                for column in manifest.schema
            }
        },
        "splits": {
            split: {"num_samples": count, **(splits or {}).get(split, {})}
            for split, count in manifest.num_samples.items()
        },
        **facts,
        "content_hash": manifest.content_hash,
    }


def write_metadata(
    path: str | Path, metadata: dict[str, Any], *, kind: str | None = None, scripts: Path = SCRIPTS
) -> None:
    """Write a dataset's metadata.json, checked against its schemas."""
    check_metadata(metadata, kind=kind, scripts=scripts, where=str(path))
    write_json(path, metadata)


def check_metadata(metadata: dict[str, Any], *, kind: str | None = None, scripts: Path = SCRIPTS, where: str) -> None:
    """Raise one RegistryError that names what of a metadata.json its schemas forbid.

    What all datasets share is in this module's schema; further keys are those that its kind has, or that the dataset
    declares in the metadata.schema.yaml beside its scripts.
    """
    name = metadata["dataset"]["name"]
    own = scripts / rule_of(name) / SCHEMA.name
    if kind:
        own = scripts / "registry" / "kinds" / f"{kind}.{SCHEMA.name}"
    hint = (
        f"fix {own.parent.relative_to(scripts.parent)}/, or declare what the dataset has for itself in {own.name} there"
    )
    validate(metadata, SCHEMA, where=where, hint=hint)
    further = {key: value for key, value in metadata.items() if key not in read_schema(SCHEMA)["properties"]}
    if own.is_file():
        validate(further, own, where=where, hint=hint)
    elif further:
        unexpected = ", ".join(map(repr, further))
        raise RegistryError(f"not valid:\n  (top level): {unexpected} was unexpected", where=where, hint=hint)
