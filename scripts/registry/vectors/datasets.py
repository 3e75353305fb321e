"""Which datasets have vectors to load and to search."""

from registry.config.load import Datasets
from registry.errors import RegistryError
from registry.vectors.settings import DATASET

NEEDED = {"id", "content", "embedding"}
"""Columns of a dataset whose vectors can be loaded."""


def with_vectors(datasets: Datasets) -> list[str]:
    """Return the names of the datasets that are embeddings, also of those that have rules of their own by now."""
    return [
        name
        for name, dataset in datasets.items()
        if "model" in dataset["params"] and dataset["contract"]["columns"].keys() >= NEEDED
    ]


def chosen_dataset(datasets: Datasets, name: str | None) -> str:
    """Return the dataset of this name; without one DATASET, or the only one that has vectors. Raises RegistryError."""
    there = with_vectors(datasets)
    if name is not None:
        datasets[name]
        if name not in there:
            hint = f"name one of {', '.join(there)}" if there else "docs/kinds.md describes embeddings"
            raise RegistryError("it has no vectors", where=name, hint=hint)
        return name
    if DATASET in datasets or DATASET in datasets.broken:
        return DATASET
    if not there:
        raise RegistryError("no dataset has vectors", hint="docs/kinds.md describes embeddings")
    if len(there) > 1:
        raise RegistryError("several datasets have vectors", hint=f"choose one with --dataset: {', '.join(there)}")
    return there[0]
