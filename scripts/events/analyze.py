"""Describe the events of a stream, and where the stream goes on."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from events.process import batches_of
from registry.describe.charts import draw_distributions
from registry.describe.description import Description, describe
from registry.formats.tables import arrow_batches, value_counts
from registry.sources.batches import Batch, next_offsets
from registry.sources.stream import MODE
from registry.workflow.job import job

SPLIT = "all"
KIND = "kind"


def measure(about: Description, days: Sequence[Path], inputs: Sequence[str], cleaning: Mapping[str, Any]) -> None:
    """Add the events of all days, and what follows from them and from what cleaning found."""
    by_day: dict[str, int] = {}
    kinds: Counter[str] = Counter()
    for day in days:
        for batch in arrow_batches(day):
            place = (pc.cast(batch[name], "string") for name in ("topic", "partition", "offset"))
            about.add(SPLIT, batch, inputs=inputs, keys=pc.binary_join_element_wise(*place, "/"))
            by_day[day.stem] = by_day.get(day.stem, 0) + batch.num_rows
            kinds += value_counts(batch[KIND])
    about.facts["summary"] = {
        **{name: cleaning[name] for name in ("events", "messages", "duplicates", "late", "tombstones", "undecodable")},
        "left_out": cleaning["left_out"],
        "kind_distribution": {kind: kinds[kind] for kind in sorted(kinds)},
        "day_distribution": by_day,
    }


def offsets_of(batches: Sequence[Batch]) -> dict[str, dict[str, int]]:
    """Return {topic: {partition: the offset after the last}}, as JSON has it."""
    found: dict[str, dict[str, int]] = {}
    for (topic, partition), offset in next_offsets(batches).items():
        found.setdefault(topic, {})[str(partition)] = offset
    return found


if __name__ == "__main__":
    with job(snakemake):
        dataset, sources = snakemake.params.dataset, Path(snakemake.input.sources)
        days = sorted(Path(snakemake.input.folder).glob("*.parquet"))
        # What every event has from the beginning says which one it is; columns that came later may be null.
        columns = dataset["contract"]["columns"]
        required = [name for name in columns if not columns[name].get("nullable")]
        with describe(snakemake, pq.read_schema(days[0])) as about:
            cleaning = json.loads(Path(snakemake.input.cleaning).read_text(encoding="utf-8"))
            measure(about, days, required, cleaning)
            # A sample belongs to no broker: nothing can go on from it.
            batches = batches_of(Path(snakemake.params.folder), sources) if dataset["source"] == MODE else []
            about.facts["stream"] = {"offsets": offsets_of(batches)}
        draw_distributions(about.metadata, snakemake.output.overview)
