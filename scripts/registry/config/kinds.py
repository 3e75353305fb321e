"""Datasets that are made by configuration alone: where their `kind` puts what it makes."""

from collections.abc import Mapping
from typing import Any

WHOLE = "all"
"""The split of a dataset that has none."""
PICTURES = ("images",)
"""The kinds whose samples are pictures."""


def splits_of(params: Mapping[str, Any]) -> list[str]:
    """Return the names of the splits that a dataset's params ask for, in their order."""
    split = params.get("split", {})
    named = next((split[way] for way in ("ratios", "files", "values", "folders") if way in split), [WHOLE])
    return [*named]


def tables_of(dataset: Mapping[str, Any]) -> dict[str, str]:
    """Return {split: the path of its table} of a dataset, given its configuration."""
    name = dataset["name"]
    folder = f"data/{name}/processed"
    return {
        split: f"{folder}/{name}.parquet" if split == WHOLE else f"{folder}/{split}/{split}.parquet"
        for split in splits_of(dataset["params"])
    }
