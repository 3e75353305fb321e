"""Messages of one partition that were read and are not written yet."""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
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
        offset, timestamp, key, value = row
        self.offsets.append(offset)
        self.timestamps.append(timestamp)
        self.keys.append(key)
        self.values.append(value)

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
    return pa.table([_array(column, one.type) for column, one in zip(columns, schema, strict=True)], schema=schema)


def _array(column: list[Any], kind: pa.DataType) -> pa.Array:
    """Return a column of numbers, bytes or text as Arrow has it: with none of the memory that pa.array takes beside.

    That makes buffers which grow by doubling, and imports pandas.
    """
    buffers = [_bits(value is not None for value in column) if None in column else None]
    if pa.types.is_int64(kind) or pa.types.is_timestamp(kind):
        buffers.append(pa.py_buffer(array("q", (value or 0 for value in column))))
    else:
        content = [value.encode() if isinstance(value, str) else value or b"" for value in column]
        buffers.append(pa.py_buffer(array("i", accumulate(map(len, content), initial=0))))
        buffers.append(pa.py_buffer(b"".join(content)))
    return pa.Array.from_buffers(kind, len(column), buffers)


def _bits(those: Iterable[bool]) -> pa.Buffer:
    """Return a bit for each of them, as Arrow tells values from nulls."""
    ordered = "".join("01"[one] for one in those)
    octets = (ordered[start : start + 8] for start in range(0, len(ordered), 8))
    return pa.py_buffer(bytes(int(octet[::-1], 2) for octet in octets))
