"""Measure emotion: lengths of its texts, and its classes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from registry.describe.charts import draw_distributions
from registry.describe.description import Description, describe
from registry.describe.manifest import row_keys
from registry.describe.texts import text_statistics
from registry.formats.tables import counts, only_batch
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
        table = pl.read_parquet(path)
        dropped = set(cleaning["dropped"][split])
        keys = row_keys(ORIGINS[split], 0, table.height + len(dropped))
        kept = [key for row, key in enumerate(keys) if row not in dropped]
        about.add(split, only_batch(table, about.schema), inputs=["text"], keys=kept)
        about.splits[split] = {"class_distribution": dict.fromkeys(classes, 0) | counts(table["label"])}
        metrics[split] = text_statistics(table["text"])
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
