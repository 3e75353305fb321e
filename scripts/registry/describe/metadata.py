"""Write metadata.json: the facts of a dataset's data, in one shape for all datasets."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.config.schema import validate
from registry.files import json_digest, write_json

if TYPE_CHECKING:
    from registry.describe.manifest import Manifest

FILLED_IN = "source_data_version"
"""Key of metadata.json that the release fills in: which version of another dataset the data was made of."""


def facts_of(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata without what the release fills in."""
    return {key: value for key, value in metadata.items() if key != FILLED_IN}


def metadata_digest(metadata: dict[str, Any]) -> str:
    """Return the hex SHA-256 of the facts of a metadata.json, however the file may lay them out."""
    return json_digest(facts_of(metadata))


def write_metadata(
    path: str | Path,
    dataset: dict[str, Any],
    manifest: "Manifest",
    *,
    features: dict[str, dict[str, Any]] | None = None,
    splits: dict[str, dict[str, Any]] | None = None,
    **facts: Any,
) -> dict[str, Any]:
    """Write a dataset's metadata.json, checked against its schema, and return it.

    `features` and `splits` add to what the manifest knows of each column (its dtype) and split (its num_samples);
    `facts` are further top-level keys (metrics, statistics, summary, ...).
    """
    about = dataset["about"]
    metadata = {
        "dataset": {"name": dataset["name"], **about},
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
    validate(metadata, "metadata", where=str(path))
    write_json(path, metadata)
    return metadata
