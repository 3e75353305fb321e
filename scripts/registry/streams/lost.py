"""Say that a topic no longer has what the batches go on with: the broker lost messages, or the topic was made again."""

from collections.abc import Sequence

from registry.errors import RegistryError


def lost_offsets(dataset: str, spans: Sequence[str]) -> RegistryError:
    """Return the error that names all messages which the broker lost before they were read."""
    hint = f"raise the topic's retention; to go on without them: registry ingest {dataset} --accept-lost"
    lines = "".join(f"\n  {line}" for line in spans)
    return RegistryError(f"the broker has lost messages that were not read yet:{lines}", hint=hint)


class MadeAgainError(RegistryError):
    """A topic's offsets name other messages than those in the batches; none of these belongs beside them."""

    def __init__(self, place: tuple[str, int], what: str) -> None:
        topic, partition = place
        super().__init__(
            f"partition {partition} of {topic} {what}: the topic was made again",
            hint="read it as a new dataset, or give the topic another name: its offsets name other messages now",
        )


def ends_too_early(place: tuple[str, int], end: int, reached: int) -> MadeAgainError:
    """Return the error for a partition that ends before the offset at which the batches end."""
    return MadeAgainError(place, f"ends at offset {end:,}, before {reached:,}, where the batches end")
