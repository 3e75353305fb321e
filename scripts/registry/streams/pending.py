"""Messages of one partition that were read and are not written yet."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from registry.sources.batches import SCHEMA, Batch, Notes
from registry.streams.kept import ASIDE


@dataclass
class Pending:
    """What was read of a partition since the offset `first`; `reached` is the offset up to which that is all there is.

    `aside` has the messages that could not be taken, where they are kept, each with what is wrong with it; `schemas`
    those with which the others were written.
    """

    topic: str
    partition: int
    first: int
    reached: int
    offsets: list[int] = field(default_factory=list)
    timestamps: list[int | None] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    aside: list[tuple[Any, ...]] = field(default_factory=list)
    schemas: dict[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.offsets or self.left_out)

    def add(self, row: tuple[int, int | None, bytes | None, bytes | None]) -> None:
        """Take a message: its offset, timestamp, key and value."""
        for column, value in zip((self.offsets, self.timestamps, self.keys, self.values), row, strict=True):
            column.append(value)

    @property
    def batch(self) -> Batch:
        """The batch that it makes."""
        return Batch(self.topic, self.partition, self.first, self.reached - 1)

    @property
    def notes(self) -> Notes:
        """What the batch says of itself."""
        return Notes(dict(sorted(self.left_out.items())), self.schemas)

    def messages(self) -> pa.Table:
        """Return the messages that were taken."""
        return _table([self.offsets, self.timestamps, self.keys, self.values], SCHEMA)

    def kept_aside(self) -> pa.Table | None:
        """Return the messages that were kept aside; None where there are none."""
        return _table([list(column) for column in zip(*self.aside, strict=True)], ASIDE) if self.aside else None


def _table(columns: list[list[Any]], schema: pa.Schema) -> pa.Table:
    arrays = [pa.array(column, one.type) for column, one in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)
