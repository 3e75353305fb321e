"""What a dataset's file says of its stream, and what holds unless it does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from registry.config.load import Datasets
from registry.config.names import closest
from registry.errors import RegistryError

MAX_SCHEMA = 4 << 20
"""Bytes that a schema may have."""


@dataclass(frozen=True)
class Batching:
    """When what was read is written: as soon as so much of it is held, of all partitions together, or for so long."""

    messages: int = 100_000
    bytes: int = 32_000_000
    seconds: float = 60.0


@dataclass(frozen=True)
class Stream:
    """The `stream` of a dataset; `poison` is what becomes of messages that cannot be taken: fail, drop, quarantine.

    `schema_registry` says that messages name their schemas in one; `schema` is a file, and `message` the type in it
    of Protobuf.
    """

    topics: list[str]
    format: str = "json"
    schema: str | None = None
    message: str | None = None
    schema_registry: bool = False
    poison: str = "fail"
    max_bytes: int = 1_000_000
    batch: Batching = field(default_factory=Batching)


def stream_of(datasets: Datasets, name: str) -> Stream:
    """Return the stream of a dataset. Raises RegistryError where it has none."""
    if name not in datasets and name not in datasets.broken:
        meant = closest(name, datasets.streams)
        hint = f"did you mean {meant}?" if meant else "registry status lists the datasets"
        raise RegistryError(f"there is no dataset {name}", hint=hint)
    datasets[name]
    settings: Mapping[str, Any] | None = datasets.streams.get(name)
    if settings is None:
        where = f"config/datasets/{name}.yaml"
        hint = "name the topics that it is read from: stream: {topics: [...]} (docs/streams.md)"
        raise RegistryError("this dataset has no stream", where=where, hint=hint)
    return Stream(**{**settings, "batch": Batching(**settings.get("batch", {}))})
