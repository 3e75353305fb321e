"""The events of a stream: decoded, told apart, and compacted into days, however their messages are cut into batches."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from events.analyze import offsets_of
from events.download import chosen
from events.process import process
from registry.errors import RegistryError
from registry.sources.batches import SCHEMA, Batch, Notes, find_batches, write_batch
from support import ROOT, examples

CONFIG = yaml.safe_load((ROOT / "config/datasets/events.yaml").read_text(encoding="utf-8"))
COLUMNS, OPTIONS = CONFIG["contract"]["columns"], CONFIG["params"]
START = datetime(2026, 11, 1, tzinfo=UTC)
SENT = int(START.timestamp() * 1000)


def value(event_id, minutes, **others):
    """The message of an event that happened so many minutes after the start."""
    event = {"event_id": event_id, "occurred_at": (START + timedelta(minutes=minutes)).isoformat(), "kind": "view"}
    return json.dumps(event | {"user": "ada", "product": "tea", "price": 2, "quantity": 1} | others).encode()


def write(raw, values, cuts=(), partition=0, left_out=()):
    """Write the messages of a partition as batches, cut before these offsets."""
    bounds = sorted({0, *(cut for cut in cuts if cut < len(values)), len(values)})
    for first, end in zip(bounds, bounds[1:], strict=False):
        rows = [(number, SENT + number, b"", values[number]) for number in range(first, end)]
        columns = zip(*rows, strict=True)
        table = pa.table([pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], SCHEMA)
        write_batch(raw, Batch("shop", partition, first, end - 1), table, Notes(dict(left_out)))


def processed(folder, raw, **options):
    """What process says of the batches in a folder, and {day: bytes}."""
    found = process(raw, find_batches(raw), folder / "processed", COLUMNS, OPTIONS | options)
    return found, {path.stem: path.read_bytes() for path in sorted((folder / "processed").iterdir())}


def events(folder):
    return pl.read_parquet(folder / "processed" / "*.parquet")


MESSAGES = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(-3000, 3000)), min_size=1, max_size=20)


@settings(max_examples=examples(25))
@given(MESSAGES, MESSAGES, st.lists(st.integers(1, 19)), st.lists(st.integers(1, 19)))
def test_how_messages_are_cut_into_batches_is_no_matter(one, other, cuts, other_cuts):
    with TemporaryDirectory() as name:
        folder, found = Path(name), []
        for place, (first, second) in enumerate([((), ()), (cuts, other_cuts)]):
            raw = folder / f"raw-{place}"
            write(raw, [value(*message) for message in one], first)
            write(raw, [value(*message) for message in other], second, partition=1)
            found.append(processed(folder, raw))
        assert found[0] == found[1]
        rows = events(folder)
    ids = [event_id for event_id, _ in (*one, *other)]
    assert sorted(rows["event_id"]) == sorted({*ids})
    assert found[0][0]["duplicates"] == len(ids) - len({*ids})
    assert rows["occurred_at"].is_sorted()


@settings(max_examples=examples(15))
@given(MESSAGES, MESSAGES)
def test_what_comes_later_in_a_partition_takes_no_place(one, more):
    with TemporaryDirectory() as name:
        folder, kept = Path(name), []
        for place, those in enumerate([one, [*one, *more]]):
            write(folder / f"raw-{place}", [value(*message) for message in those])
            processed(folder, folder / f"raw-{place}")
            kept.append({*events(folder).iter_rows()})
    assert kept[0] <= kept[1]


def test_days_late_events_and_what_is_no_event(tmp_path):
    wrong = [
        b"{", b"[]", b'"a"', b"\xff", value("x", 0, price="2 EUR"), value("x", 0, quantity=True), value(None, 0),
        value("x", 0, occurred_at="2026-11-01T00:00:00"), value("x", 0, occurred_at=0), value("x", 0, occurred_at=""),
        value("x", 0, price=float("nan")), value("x", 0, user="\ud800"), value("x", 0, quantity=1 << 70),
        b"[" * 100_000,
    ]  # fmt: skip
    good = [value("a", 100), value("b", 0), value("c", 60), value("d", 1500), None]
    write(tmp_path / "raw", [*good, *wrong], cuts=[2, 5], left_out={"invalid": 2})
    found, days = processed(tmp_path, tmp_path / "raw", problems={"undecodable": "drop"})
    assert list(days) == ["2026-11-01", "2026-11-02"]
    assert found == {
        "messages": 19,
        "tombstones": 1,
        "undecodable": 14,
        "duplicates": 0,
        "late": 1,
        "events": 4,
        "left_out": {"invalid": 6},
    }
    assert events(tmp_path)["event_id"].to_list() == ["b", "c", "a", "d"]
    assert dict(events(tmp_path).schema)["occurred_at"] == pl.Datetime("ms", "UTC")


def test_a_message_that_is_no_event_is_named_and_nothing_is_written(tmp_path):
    write(tmp_path / "raw", [value("a", 0), b"{"])
    with pytest.raises(RegistryError, match=r"1 messages are no event.* shop/0/1\n"):
        processed(tmp_path, tmp_path / "raw")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_clock_that_is_wrong_makes_no_file_of_its_own(tmp_path):
    """A few messages could otherwise make a file for each of thousands of days."""
    days = [-367, -365, 0, 366, 367]
    write(tmp_path / "raw", [value(str(day), day * 24 * 60) for day in days])
    with pytest.raises(
        RegistryError, match=r"2 messages .* not of the time when they were sent.* shop/0/0, shop/0/4\n"
    ):
        processed(tmp_path, tmp_path / "raw", days_apart=366)
    found, files = processed(tmp_path, tmp_path / "raw", days_apart=366, problems={"undecodable": "drop"})
    assert (found["undecodable"], [*files]) == (2, ["2025-11-01", "2026-11-01", "2027-11-02"])


def test_offsets_go_on_and_gaps_are_named(tmp_path):
    write(tmp_path, [value(str(number), number) for number in range(6)], cuts=[2, 4])
    files = sorted(tmp_path.rglob("*.parquet"))
    assert offsets_of(chosen(tmp_path, files)) == {"shop": {"0": 6}}
    with pytest.raises(RegistryError, match="offsets 2 to 3 of partition 0 of shop are missing"):
        chosen(tmp_path, [files[0], files[2]])
    with pytest.raises(RegistryError, match="offsets 0 to 1 of partition 0 of shop are missing"):
        chosen(tmp_path, files[1:])
    with pytest.raises(RegistryError, match="no batch of messages is here"):
        chosen(tmp_path, [])
