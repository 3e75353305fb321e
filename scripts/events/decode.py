"""Turn messages of a stream into rows with the columns of a contract."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pyarrow as pa

from registry.describe.columns import column_type
from registry.sources.batches import Batch, Notes
from registry.sources.writers import decoder_of

PLACE = {"topic": pl.String(), "partition": pl.Int32(), "offset": pl.Int64()}
"""Columns that say where a message stands in its stream; the others are fields of the message."""
SENT = "_sent"
"""Column that no file has: when a message was sent, in milliseconds."""
NO_EVENT = (ValueError, TypeError, OverflowError, RecursionError, pl.exceptions.PolarsError)
"""What a message raises that is not of the form of an event."""
EXAMPLES = 3
"""Messages that are named of those that are no event."""


class Decoder:
    """Turns messages into rows.

    `counts` are the messages so far, tombstones among them, and those that are `undecodable`, of which `wrong` names
    the first.
    """

    def __init__(self, columns: Mapping[str, Mapping[str, Any]]) -> None:
        self.types = {name: column_type(spec) for name, spec in columns.items()}
        self._fields = [name for name in columns if name not in PLACE]
        self._required = [name for name in self._fields if not columns[name].get("nullable")]
        self._times = [name for name in self._fields if isinstance(self.types[name], pl.Datetime)]
        self._numbers = [name for name in self._fields if self.types[name].is_numeric()]
        self.counts = Counter(messages=0, tombstones=0, undecodable=0)
        self.wrong: list[str] = []

    def rows(self, batch: Batch, messages: pa.Table, notes: Notes) -> pl.DataFrame:
        """Return the events among the messages of a batch, with the columns of the contract, and SENT.

        Raises RegistryError where the schemas in its notes cannot be used.
        """
        decode = decoder_of(notes)
        self.counts["messages"] += messages.num_rows
        events: list[dict[str, Any]] = []
        sent = messages["timestamp"].cast(pa.int64()).to_pylist()
        for offset, value, when in zip(
            messages["offset"].to_pylist(), messages["value"].to_pylist(), sent, strict=True
        ):
            place = {"topic": batch.topic, "partition": batch.partition, "offset": offset, SENT: when}
            if value is None:
                self.counts["tombstones"] += 1
                continue
            try:
                events.append(self._event(decode(value)) | place)
            except NO_EVENT:
                self._leave_out(place)
        try:
            return self._table(events)
        except NO_EVENT:
            return self._table([event for event in events if self._is_row(event)])

    def _event(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a message, of which types are not looked at. Raises one of NO_EVENT."""
        event = {name: found.get(name) for name in self._fields}
        if any(event[name] is None for name in self._required):
            raise ValueError("a field is missing")
        if any(isinstance(event[name], bool) for name in self._numbers):
            raise TypeError("true and false are no numbers")
        return event | {name: _moment(event[name]) for name in self._times if event[name] is not None}

    def _table(self, events: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
        types = self.types | {SENT: pl.Int64()}
        return pl.DataFrame(
            [pl.Series(name, [event[name] for event in events], dtype, strict=True) for name, dtype in types.items()]
        )

    def _is_row(self, event: Mapping[str, Any]) -> bool:
        try:
            self._table([event])
        except NO_EVENT:
            self._leave_out(event)
            return False
        return True

    def _leave_out(self, place: Mapping[str, Any]) -> None:
        self.counts["undecodable"] += 1
        if len(self.wrong) < EXAMPLES:
            self.wrong.append(f"{place['topic']}/{place['partition']}/{place['offset']}")


def _moment(moment: str | datetime) -> datetime:
    """Return a moment, which is one by now or as ISO 8601 writes it, with its zone, in UTC."""
    if not isinstance(moment, datetime):
        moment = datetime.fromisoformat(moment)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC)
