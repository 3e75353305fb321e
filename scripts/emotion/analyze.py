"""Measure emotion: lengths of its texts, and its classes."""

import json
from collections import Counter
from collections.abc import Mapping
from itertools import count, islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from registry.describe.charts import draw_distributions
from registry.describe.description import Description, describe
from registry.describe.texts import TextLengths
from registry.formats.tables import arrow_batches, value_counts
from registry.workflow.job import job

ORIGINS = {
    "train": "split/train-00000-of-00001.parquet",
    "val": "split/validation-00000-of-00001.parquet",
    "test": "split/test-00000-of-00001.parquet",
}


def measure(about: Description, files: Mapping[str, Path], cleaning: Mapping[str, Any], classes: list[str]) -> None:
    """Add each split's texts, whose keys are their rows in the source, and what follows from them.

    `cleaning` is the report of which rows of the source were dropped.
    """
    metrics = {}
    for split, path in files.items():
        dropped = set(cleaning["dropped"][split])
        kept = (f"{ORIGINS[split]}:{row}" for row in count() if row not in dropped)
        labels, lengths = Counter(dict.fromkeys(classes, 0)), TextLengths()
        for batch in arrow_batches(path):
            about.add(split, batch, inputs=["text"], keys=list(islice(kept, batch.num_rows)))
            labels.update(value_counts(batch["label"]))
            lengths.add(batch["text"])
        about.splits[split] = {"class_distribution": dict(labels)}
        metrics[split] = lengths.statistics()
    about.features["label"] = {"classes": classes}
    about.facts["metrics"] = metrics
    about.facts["summary"] = {
        "found": cleaning["found"],
        "dropped": {split: len(rows) for split, rows in cleaning["dropped"].items()},
    }


if __name__ == "__main__":
    with job(snakemake):
        with describe(snakemake, pq.read_schema(snakemake.input.train)) as about:
            measure(
                about,
                files={split: Path(snakemake.input[split]) for split in ORIGINS},
                cleaning=json.loads(Path(snakemake.input.cleaning).read_text(encoding="utf-8")),
                classes=snakemake.params.dataset["params"]["classes"],
            )
        draw_distributions(about.metadata, snakemake.output.overview)
