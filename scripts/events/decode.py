"""Turn messages of a stream into rows with the columns of a contract."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
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
DAY = 86_400_000
"""Milliseconds."""
EXAMPLES = 3
"""Messages that are named of those that are no event."""
Event = tuple[int, int | None, Mapping[str, Any]]
"""A message that was decoded: its offset, when it was sent, and its fields."""


class Decoder:
    """Turns messages into rows.

    `counts` are the messages so far, tombstones among them, and those that are `undecodable`, of which `wrong` names
    a few. No event happened more than `days_apart` days before or after it was sent, as far as a broker says when.
    """

    def __init__(self, columns: Mapping[str, Mapping[str, Any]], time: str, days_apart: int) -> None:
        self._time, self._apart = time, days_apart * DAY
        self.types = {name: column_type(spec) for name, spec in columns.items()}
        self._fields = [name for name in columns if name not in PLACE]
        self._required = [name for name in self._fields if not columns[name].get("nullable")]
        self._times = [name for name in self._fields if isinstance(self.types[name], pl.Datetime)]
        self._dates = [name for name in self._fields if self.types[name] == pl.Date]
        self._integers = [name for name in self._fields if self.types[name].is_integer()]
        self._numbers = [name for name in self._fields if self.types[name].is_numeric()]
        self.counts = Counter(messages=0, tombstones=0, undecodable=0)
        self.wrong: list[str] = []

    def rows(self, batch: Batch, messages: pa.Table, notes: Notes) -> pl.DataFrame:
        """Return the events among the messages of a batch, with the columns of the contract, and SENT.

        Raises RegistryError where the schemas in its notes cannot be used.
        """
        decode = decoder_of(notes)
        self.counts["messages"] += messages.num_rows
        events: list[Event] = []
        sent = messages["timestamp"].cast(pa.int64()).to_pylist()
        for offset, value, when in zip(
            messages["offset"].to_pylist(), messages["value"].to_pylist(), sent, strict=True
        ):
            if value is None:
                self.counts["tombstones"] += 1
                continue
            try:
                events.append((offset, when, decode(value)))
            except NO_EVENT:
                self._leave_out(batch, offset)
        rows = self._rows(batch, events)
        far = ((pl.col(self._time).dt.epoch("ms") - pl.col(SENT)).abs() > self._apart).fill_null(value=False)
        for offset in rows.filter(far)["offset"]:
            self._leave_out(batch, offset)
        return rows.filter(~far)

    def _rows(self, batch: Batch, events: Sequence[Event]) -> pl.DataFrame:
        """Return the rows of all that are events; halving finds the others, since they are few."""
        try:
            return self._table(batch, events)
        except NO_EVENT:
            if len(events) == 1:
                self._leave_out(batch, events[0][0])
                return self._table(batch, [])
            middle = len(events) // 2
            return pl.concat([self._rows(batch, events[:middle]), self._rows(batch, events[middle:])])

    def _table(self, batch: Batch, events: Sequence[Event]) -> pl.DataFrame:
        """Return messages as rows. Raises one of NO_EVENT where one of them is no event."""
        columns = {
            "topic": pl.repeat(batch.topic, len(events), dtype=self.types["topic"], eager=True),
            "partition": pl.repeat(batch.partition, len(events), dtype=self.types["partition"], eager=True),
            "offset": pl.Series([offset for offset, _, _ in events], dtype=self.types["offset"]),
            SENT: pl.Series([when for _, when, _ in events], dtype=pl.Int64()),
        }
        for name in self._fields:
            columns[name] = pl.Series(self._values(name, events), dtype=self.types[name], strict=True)
        return pl.DataFrame({name: columns[name] for name in (*self.types, SENT)})

    def _values(self, name: str, events: Sequence[Event]) -> list[Any]:
        """Return a field of all messages. Raises one of NO_EVENT for what polars would take."""
        values = [fields.get(name) for _, _, fields in events]
        if name in self._required and None in values:
            raise ValueError("a field is missing")
        if name in self._numbers and bool in set(map(type, values)):
            raise TypeError("true and false are no numbers")
        if name in self._integers:
            return [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
        convert = _moment if name in self._times else _day if name in self._dates else None
        return [value if value is None else convert(value) for value in values] if convert else values

    def _leave_out(self, batch: Batch, offset: int) -> None:
        self.counts["undecodable"] += 1
        if len(self.wrong) < EXAMPLES:
            self.wrong.append(f"{batch.topic}/{batch.partition}/{offset}")


def _day(day: str | date) -> date:
    """Return a day, which is one by now or as ISO 8601 writes it. Raises TypeError for a number, or a moment."""
    if isinstance(day, str):
        return date.fromisoformat(day)
    if not isinstance(day, date) or isinstance(day, datetime):
        raise TypeError("no day")
    return day


def _moment(moment: str | datetime) -> datetime:
    """Return a moment, which is one by now or as ISO 8601 writes it, with its zone, in UTC."""
    if not isinstance(moment, datetime):
        moment = datetime.fromisoformat(moment)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC)
