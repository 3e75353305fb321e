"""What of a stream is read, kept and listed, where no broker can be made to behave so at will."""

import json
from contextlib import nullcontext
from datetime import date

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from events.decode import Decoder
from events.download import chosen
from registry.errors import RegistryError
from registry.formats.json_messages import InvalidError, JsonMessages
from registry.sources.batches import NOTES, SCHEMA, Batch, Notes, find_batches, read_batch, write_batch
from registry.sources.stream import INDEX, list_batches, record_of
from registry.streams import ingest
from registry.streams.ingest import Bounds, _Reading
from registry.streams.kept import ASIDE, Kept
from registry.streams.settings import Stream
from support import ROOT

FIRST = Batch("t", 0, 0, 1)


class Message:
    """A message of a partition, or what came instead of one."""

    def __init__(self, partition, offset, error=None):
        self._partition, self._offset, self._error = partition, offset, error

    def topic(self):
        return "t"

    def partition(self):
        return self._partition

    def offset(self):
        return self._offset

    def error(self):
        return self._error

    def timestamp(self):
        return 1, 1

    def key(self):
        return None

    def value(self):
        return b"{}"


class Scripted:
    """A broker of two partitions, whose answers come in this order."""

    def __init__(self, begins, *answers):
        self._begins, self._answers = begins, [*answers]

    def partitions(self, topics):
        return [("t", 0), ("t", 1)]

    def bounds(self, topic, partition):
        return self._begins, 2

    def known_end(self, topic, partition):
        return 2

    def assign(self, offsets):
        pass

    def commit(self, offsets):
        pass

    def is_end(self, error):
        return error == "end"

    def take(self, most):
        return self._answers.pop(0)


class Taking:
    def check(self, value):
        return {}


def table(*offsets, values=None):
    values = values or [b"{}"] * len(offsets)
    return pa.table([[*offsets], [0] * len(offsets), [None] * len(offsets), values], schema=SCHEMA)


def read(folder, broker, monkeypatch, until_end=True):
    """Read with a broker until the end; return {batch: its offsets, and what was left out}."""
    monkeypatch.setattr(ingest, "undisturbed", lambda here: nullcontext(True))
    reading = _Reading(None, "x", Stream(["t"]), Kept(folder, {}), broker, Taking())
    reading.run(Bounds(until_end=until_end), lambda: False, accept_lost=False, say=print)
    found = {batch: read_batch(folder / "raw", batch) for batch in find_batches(folder / "raw")}
    return {batch: (messages["offset"].to_pylist(), notes.left_out) for batch, (messages, notes) in found.items()}


def test_what_comes_after_the_end_that_was_looked_for_is_left_to_the_next_time(tmp_path, monkeypatch):
    broker = Scripted(
        0,
        [Message(0, 0), Message(0, 1), Message(1, 0)],
        [Message(0, 2), Message(0, 3)],
        [Message(0, 4, "end")],
        [Message(1, 1)],
    )
    assert read(tmp_path, broker, monkeypatch) == {FIRST: ([0, 1], {}), Batch("t", 1, 0, 1): ([0, 1], {})}


def test_what_was_gone_before_the_first_time_is_counted_and_a_build_can_begin_there(tmp_path, monkeypatch):
    broker = Scripted(1, [Message(0, 1), Message(1, 1)])
    found = read(tmp_path, broker, monkeypatch)
    assert found == {Batch("t", partition, 0, 1): ([1], {"before": 1}) for partition in (0, 1)}
    raw = tmp_path / "raw"
    assert chosen(raw, [str(raw / batch.path) for batch in found]) == [*found]


def test_what_was_kept_aside_stays_until_its_messages_are_read_again(tmp_path):
    aside = pa.table([[0], [0], [None], [b"x"], ["no JSON"]], schema=ASIDE)
    path = tmp_path / "quarantine" / Batch("t", 0, 0, 0).path
    path.parent.mkdir(parents=True)
    pq.write_table(aside, path)
    kept = Kept(tmp_path, {})
    assert path.exists()
    kept.add(FIRST, table(0, 1), Notes({"lost": 1}))
    assert path.exists()
    kept.add(FIRST, table(0, 1), Notes())
    assert not path.exists()


def test_a_listed_batch_is_not_replaced_unseen(tmp_path):
    write_batch(tmp_path, FIRST, table(0, 1), Notes())
    list_batches(tmp_path, record_of("stream", tmp_path, [FIRST.path.as_posix()]))
    before = (tmp_path / INDEX).read_bytes()
    write_batch(tmp_path, FIRST, table(0, 1, values=[b"{}", b'{"a": 1}']), Notes())
    with pytest.raises(RegistryError, match="another file than the list of batches says"):
        list_batches(tmp_path, record_of("stream", tmp_path, [FIRST.path.as_posix()]))
    assert (tmp_path / INDEX).read_bytes() == before


@pytest.mark.parametrize(
    "notes",
    [
        "[" * 100_000 + "]" * 100_000,
        "[]",
        json.dumps({"left_out": [], "schemas": {}}),
        json.dumps({"left_out": {"lost": "many"}, "schemas": {}}),
        json.dumps({"left_out": {"\x1b[31mlost": 1}, "schemas": {}}),
        json.dumps({"left_out": {"lost": -1}, "schemas": {}}),
        json.dumps({"left_out": {"lost": True}, "schemas": {}}),
    ],
)
def test_malformed_notes_are_one_message(tmp_path, notes):
    path = tmp_path / FIRST.path
    path.parent.mkdir(parents=True)
    pq.write_table(table(0, 1).replace_schema_metadata({NOTES: notes}), path)
    with pytest.raises(RegistryError, match="no batch of messages"):
        read_batch(tmp_path, FIRST)


def test_notes_of_a_later_version_are_read(tmp_path):
    path = tmp_path / FIRST.path
    path.parent.mkdir(parents=True)
    notes = json.dumps({"left_out": {"lost": 2}, "schemas": {}, "later": 1})
    pq.write_table(table(0, 1).replace_schema_metadata({NOTES: notes}), path)
    assert read_batch(tmp_path, FIRST)[1] == Notes({"lost": 2}, {})


@pytest.mark.parametrize(
    "name",
    [
        "t/0/99999999999999999998-99999999999999999999.parquet",
        "t/0/00000000000000000002-00000000000000000001.parquet",
        "t/0/0000000000000000000٠-00000000000000000001.parquet",
        "t/9999999999/00000000000000000000-00000000000000000001.parquet",
    ],
)
def test_other_files_are_no_batches(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).touch()
    assert find_batches(tmp_path) == []


def test_a_day_that_never_was_breaks_the_schema_of_events():
    messages = JsonMessages((ROOT / "config/schemas/events.json").read_bytes())
    event = {"event_id": "0" * 32, "occurred_at": "2026-02-28T10:00:00.000Z", "kind": "view", "user": "ada"}
    event |= {"product": "tea", "price": 2, "quantity": 1}
    assert messages.decode(json.dumps(event).encode()) == event
    with pytest.raises(InvalidError, match="occurred_at"):
        messages.decode(json.dumps(event | {"occurred_at": "2026-02-30T10:00:00.000Z"}).encode())


def test_days_and_whole_numbers_are_taken_as_json_has_them_and_nothing_else_for_a_day():
    columns = {"day": {"dtype": "date"}, "number": {"dtype": "int64"}}
    columns |= {"at": {"dtype": "timestamp", "resolution": "ms", "zone": "UTC", "nullable": True}}
    place = {name: {"dtype": kind} for name, kind in (("topic", "string"), ("partition", "int32"), ("offset", "int64"))}
    decoder = Decoder(place | columns, "at", 1)
    sent = [
        {"day": "2026-11-02", "number": 1.0},
        *({"day": day, "number": 1} for day in (True, 300, "2026-11-02T00:00")),
    ]
    values = [json.dumps(one).encode() for one in sent]
    rows = decoder.rows(FIRST, table(*range(len(values)), values=values), Notes())
    assert rows.select("day", "number").rows() == [(date(2026, 11, 2), 1)]
    assert rows["day"].dtype == pl.Date
    assert decoder.counts["undecodable"] == 3
