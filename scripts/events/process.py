"""Compact the messages of a stream into events, one Parquet file a day, without those that are there twice."""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from events.decode import DAY, PLACE, SENT, Decoder
from registry.errors import RegistryError
from registry.files import output_folder, private_place, write_json
from registry.formats.spill import Spill
from registry.formats.tables import as_lazy, regrouped
from registry.sources.batches import Batch, count_messages, find_batches, read_batch
from registry.workflow.job import job

log = logging.getLogger(__name__)

LATE, BUCKET = "_late", "_bucket"
"""Columns that no file has: whether an event is late, and where rows wait on disk."""
ROWS = 1 << 17
"""Rows in a row group, and about as many in memory."""
MINUTE, HOUR = 60_000, 3_600_000
"""Milliseconds."""


def batches_of(folder: Path, sources: Path) -> list[Batch]:
    """Return the batches in `folder` that a record of sources names, by topic, partition and offset."""
    named = {file["file"] for file in json.loads(sources.read_text(encoding="utf-8"))["files"]}
    return [batch for batch in find_batches(folder) if batch.path.as_posix() in named]


def read(
    folder: Path, batches: Sequence[Batch], decoder: Decoder, left_out: Counter[str], *, time: str, late_minutes: int
) -> Iterator[pl.DataFrame]:
    """Yield the events in sorted batches, with LATE, and add up what `registry ingest` has left out of them.

    Late is what happened so many minutes before something that its partition had already.
    """
    for _, those in groupby(batches, lambda batch: (batch.topic, batch.partition)):
        newest = None
        for batch in those:
            messages, notes = read_batch(folder, batch)
            left_out.update(notes.left_out)
            rows = decoder.rows(batch, messages, notes)
            times = rows[time].dt.epoch("ms")
            known = times.cum_max() if newest is None else times.cum_max().clip(newest)
            before = known.shift(1, fill_value=newest)
            yield rows.with_columns((before - times > late_minutes * MINUTE).fill_null(value=False).alias(LATE))
            newest = known[-1] if len(known) else newest


def first_of_each(rows: pl.DataFrame, key: str) -> pl.DataFrame:
    """Return rows, one of each key: the first of a partition stays, and among partitions the first that was sent.

    So nothing that comes later in a partition takes the place of a row, whatever it says of its time.
    """
    keyed = rows.filter(pl.col(key).is_not_null())
    firsts = keyed.sort(*PLACE).unique([key, "topic", "partition"], keep="first", maintain_order=True)
    firsts = firsts.sort(SENT, *PLACE, nulls_last=True).unique(key, keep="first", maintain_order=True)
    return pl.concat([firsts, rows.filter(pl.col(key).is_null())])


def process(
    folder: Path, batches: Sequence[Batch], out: Path, columns: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Write `<out>/<day>.parquet` for each day, its events by time and place in the stream; return what was left out.

    Rows wait on disk twice, first by their keys, then by the hours in which they happened, so that memory has to hold
    a share of the keys, or an hour. Raises RegistryError for messages that are no event, unless they are to be dropped.
    """
    left_out, key, time = Counter(), options["key"], options["time"]
    decoder = Decoder(columns, time, options["days_apart"])
    counts = Counter(duplicates=0, late=0, events=0)
    shares = 1 + sum(count_messages(folder, batch) for batch in batches) // ROWS
    with private_place(out.with_name("spill")) as spilled:
        spilled.mkdir()
        by_key, by_hour = (Spill(spilled / name, BUCKET) for name in ("by-key", "by-hour"))
        rows = read(folder, batches, decoder, left_out, time=time, late_minutes=options["late_minutes"])
        for some in regrouped(rows, ROWS):
            by_key.add(some.with_columns((pl.col(key).hash() % shares).alias(BUCKET)))
        _check(decoder, folder, options["problems"])
        for share in by_key.buckets():
            every = by_key.read(share)
            kept = first_of_each(every, key)
            counts.update(duplicates=len(every) - len(kept), late=kept[LATE].sum(), events=len(kept))
            hour = (pl.col(time).dt.epoch("ms") // HOUR).alias(BUCKET)
            by_hour.add(kept.select(*columns, hour))
        with output_folder(out) as partial:
            for day, hours in groupby(by_hour.buckets(), lambda hour: hour * HOUR // DAY):
                name = datetime.fromtimestamp(day * DAY / 1000, UTC).date().isoformat()
                _write(partial / f"{name}.parquet", (by_hour.read(hour).sort(time, *PLACE) for hour in hours), decoder)
    log.info("%d events of %d messages", counts["events"], decoder.counts["messages"])
    return {**decoder.counts, **counts, "left_out": dict(sorted(left_out.items()))}


def _write(path: Path, tables: Iterator[pl.DataFrame], decoder: Decoder) -> None:
    rows = as_lazy(lambda: regrouped(tables, ROWS), decoder.types)
    rows.sink_parquet(path, compression="zstd", row_group_size=ROWS)


def _check(decoder: Decoder, folder: Path, problems: Mapping[str, str]) -> None:
    """Check that there is an event, and that messages are no event only where they are to be dropped."""
    wrong, all_of_them = decoder.counts["undecodable"], decoder.counts["messages"] - decoder.counts["tombstones"]
    if wrong and problems["undecodable"] == "fail":
        raise RegistryError(
            f"{wrong:,} messages are no event with the columns of the contract, "
            f"or not of the time when they were sent, such as {', '.join(decoder.wrong)}",
            where=folder,
            hint="let the contract say which fields they have, or params.days_apart; or leave them out: "
            "params.problems.undecodable: drop",
        )
    if wrong == all_of_them:
        raise RegistryError("no message is an event", where=folder, hint="let producers send some, and ingest them")


if __name__ == "__main__":
    with job(snakemake):
        params, folder = snakemake.params, Path(snakemake.params.folder)
        batches = batches_of(folder, Path(snakemake.input.sources))
        cleaning = process(folder, batches, Path(snakemake.output.folder), params.columns, params.options)
        write_json(snakemake.output.cleaning, cleaning)
