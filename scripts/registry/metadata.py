"""Write metadata.json: the facts of a dataset's data, in one shape for all datasets."""

from pathlib import Path
from typing import Any

from registry.files import write_json
from registry.manifest import Manifest
from registry.schema import validate


def write_metadata(
    path: str | Path,
    dataset: dict[str, Any],
    manifest: Manifest,
    *,
    features: dict[str, dict[str, Any]] | None = None,
    splits: dict[str, dict[str, Any]] | None = None,
    **facts: Any,
) -> dict[str, Any]:
    """Write a dataset's metadata.json, checked against workflow/schemas/metadata.schema.yaml, and return it.

    `features` and `splits` add to what the manifest knows of each column (its dtype) and split (its num_samples);
    `facts` are further top-level keys (metrics, statistics, summary, ...).
    """
    about = dataset["about"]
    metadata = {
        "dataset": {"name": dataset["name"], **about},
        "schema": {
            "features": {
                column["name"]: {"dtype": column["type"], **(features or {}).get(column["name"], {})}
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
