"""Take things in batches that are few enough for memory."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def in_batches(things: Iterable[T], size_of: Callable[[T], int], most: int, most_bytes: int) -> Iterator[list[T]]:
    """Yield things in their order, at most `most` of them at once, and no further one once they have `most_bytes`."""
    waiting, size = [], 0
    for thing in things:
        waiting.append(thing)
        size += size_of(thing)
        if len(waiting) == most or size >= most_bytes:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting
