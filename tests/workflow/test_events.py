"""A dataset that grows from a stream: what a build takes, what a release holds, and that no batch is ever lost."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from clone import Clone, under_git
from project import copy_repository
from registry import open_dataset
from registry.sources.batches import SCHEMA, Batch, Notes, find_batches, write_batch
from registry.sources.stream import record_of

RAW = "data/events/raw"
START = datetime(2026, 11, 1, tzinfo=UTC)


def message(number, partition, **more):
    event = {
        "event_id": f"{partition}-{number}",
        "occurred_at": (START + timedelta(hours=number)).isoformat(),
        "kind": "view",
        "user": "ada",
        "product": "tea",
        "price": 1.5,
        "quantity": 0,
        **more,
    }
    return number, int(START.timestamp() * 1000) + number, b"", json.dumps(event).encode()


def ingest(clone, first, last, partition=0, **more):
    """Do as `registry ingest`: write a batch, then the list of all that are here."""
    raw = clone.folder / RAW
    columns = zip(*(message(number, partition, **more) for number in range(first, last + 1)), strict=True)
    table = pa.table([pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], SCHEMA)
    write_batch(raw, Batch("shop", partition, first, last), table, Notes())
    record = record_of("stream", raw, [batch.path.as_posix() for batch in find_batches(raw)])
    (raw / "sources.json").write_text(json.dumps(record))


def batches(clone):
    return {path.name: path.read_bytes() for path in sorted((clone.folder / RAW).glob("*/*/*.parquet"))}


def processed(clone):
    folder = clone.folder / "data" / "events" / "processed"
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.parquet"))}


def build(clone, *arguments, fails=False):
    printed = clone.snakemake("--cores", "2", "events", *arguments, fails=fails)
    assert "Traceback" not in printed
    return printed


@pytest.fixture(scope="session")
def stream_once(once) -> Clone:
    """A registry whose only dataset is events, from a stream of which two batches were read, and are released."""

    def make(folder: Path) -> str:
        project = copy_repository(folder)
        for path in folder.glob("config/datasets/*.yaml"):
            if path.stem != "events":
                path.unlink()
        project.edit("config/datasets/events.yaml", "source: samples", "source: stream")
        clone = under_git(project)
        ingest(clone, 0, 39)
        ingest(clone, 0, 9, partition=1)
        printed = build(clone)
        assert "released as events-v1.0.0" in printed
        return printed

    return Clone(once("stream", make))


@pytest.fixture
def stream(stream_once, tmp_path) -> Clone:
    """A copy of its own of that registry."""
    return stream_once.copied(tmp_path / "registry")


def test_new_batches_are_minor_and_nothing_is_built_where_none_came(stream):
    assert stream.jobs("events") == set()
    ingest(stream, 40, 59)
    assert stream.jobs("events") == {"events_download", "events_process", "events_analyze"}
    assert "released as events-v1.1.0" in build(stream)
    metadata = json.loads((stream.folder / "data/events/metadata.json").read_text())
    assert metadata["stream"]["offsets"] == {"shop": {"0": 60, "1": 10}}
    assert pl.read_parquet(stream.folder / "data/events/processed/*.parquet").height == 70
    assert stream.jobs("events") == set()


def test_readers_have_the_same_columns_of_every_day(stream):
    dataset = open_dataset("events", "1.0.0", repo=stream.folder)
    assert dataset.lazy_frame().collect().height == 50
    assert list(dataset.lazy_frame().collect_schema()) == [*dataset.metadata["schema"]["features"]]
    assert sum(len(batch["event_id"]) for batch in dataset.iter_batches(batch_size=7)) == 50
    stream.run("dvc", "get", "--quiet", "--rev", "events-v1.0.0", "--out", "got", ".", "data/events/processed")
    assert pl.read_parquet(stream.folder / "got" / "*.parquet").equals(dataset.lazy_frame().collect())


def test_a_version_is_built_again_from_its_released_batches(stream):
    ingest(stream, 40, 59)
    assert stream.registry_json("verify", "events-v1.0.0")["result"] == "identical"


def test_a_field_that_came_later_is_minor(stream):
    stream.edit(
        "config/datasets/events.yaml",
        "    quantity: {dtype: int64, min: 0}\n",
        "    quantity: {dtype: int64, min: 0}\n    coupon: {dtype: string, nullable: true}\n",
    )
    stream.commit()
    ingest(stream, 40, 59, coupon="spring")
    assert "released as events-v1.1.0" in build(stream)
    coupons = open_dataset("events", "1.1.0", repo=stream.folder).to_polars()["coupon"]
    assert coupons.value_counts().sort("coupon").rows() == [(None, 50), ("spring", 20)]
    assert stream.registry_json("verify", "events-v1.0.0")["result"] == "identical"


def test_compaction_alone_is_a_patch(stream):
    stream.edit("scripts/events/process.py", "ROWS = 1 << 17", "ROWS = 10")
    stream.commit()
    assert "released as events-v1.0.1" in build(stream)


def test_a_gap_fails_and_releases_nothing(stream):
    ingest(stream, 45, 59)
    printed = build(stream, fails=True)
    assert "offsets 40 to 44 of partition 0 of shop are missing" in printed
    assert stream.tags() == ["events-v1.0.0"]


def test_no_command_removes_a_batch_that_no_release_holds(stream):
    ingest(stream, 40, 59)
    build(stream)
    ingest(stream, 60, 69)
    held = batches(stream)
    stream.registry("rollback", "events", "1.0.0")
    assert batches(stream) == held
    stream.registry("unpin", "events")
    assert batches(stream) == held
    stream.registry("pull", "--raw", "--force", "events")
    assert batches(stream) == held
    assert "events_process" in stream.jobs("events")
    stream.snakemake("--cores", "2", "events", "--forceall", "--config", "publish=false")
    assert batches(stream) == held
    assert len(pl.read_parquet(stream.folder / "data/events/processed/*.parquet")) == 80


def test_a_fresh_clone_with_a_new_batch_makes_the_same_bytes(stream, tmp_path):
    other = stream.cloned(tmp_path / "other")
    for clone in (stream, other):
        ingest(clone, 40, 59)
    assert "are missing" in build(other, "--config", "publish=false", fails=True)
    other.registry("run", "events", "--", "--config", "publish=false")
    build(stream, "--config", "publish=false")
    assert batches(other) == batches(stream)
    assert processed(other) == processed(stream)
    for name in ("manifest.parquet", "metadata.json"):
        assert len({(clone.folder / "data/events" / name).read_bytes() for clone in (stream, other)}) == 1
