"""Measure emotion: lengths of its texts, classes, manifest, metadata and provenance."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from registry.describe.charts import draw_distributions
from registry.describe.manifest import positions, write_manifest
from registry.describe.metadata import write_metadata
from registry.describe.provenance import write_provenance
from registry.describe.statistics import moments
from registry.formats.tables import counts, only_batch
from registry.workflow.job import job

ORIGINS = {
    "train": "split/train-00000-of-00001.parquet",
    "val": "split/validation-00000-of-00001.parquet",
    "test": "split/test-00000-of-00001.parquet",
}


def text_metrics(texts: pl.Series) -> dict[str, float]:
    """Return the moments of the texts' lengths in characters (Unicode code points) and in words (split at spaces)."""
    texts = texts.drop_nulls()
    words = texts.str.extract_all(r"\S+").list.len()
    return moments(texts.str.len_chars().to_list(), "char_length_") | moments(words.to_list(), "word_count_")


def analyze(
    files: Mapping[str, Path], cleaning: Path, sources: Path, dataset: dict[str, Any], code: dict[str, str], output: Any
) -> None:
    """Read each split's Parquet file and write what follows from it."""
    classes = dataset["params"]["classes"]
    report = json.loads(cleaning.read_text(encoding="utf-8"))
    schema = pq.read_schema(files["train"])
    splits, metrics = {}, {}
    with write_manifest(output.manifest, dataset, schema) as manifest:
        for split, path in files.items():
            table = pl.read_parquet(path)
            batch = only_batch(table, schema)
            dropped = set(report["dropped"][split])
            keys = positions(ORIGINS[split], 0, table.height + len(dropped))
            kept = [key for position, key in enumerate(keys) if position not in dropped]
            manifest.add(split, batch, inputs=["text"], keys=kept)
            metrics[split] = text_metrics(table["text"])
            splits[split] = {"class_distribution": dict.fromkeys(classes, 0) | counts(table["label"])}
    summary = {"found": report["found"], "dropped": {split: len(rows) for split, rows in report["dropped"].items()}}
    metadata = write_metadata(
        output.metadata,
        dataset,
        manifest,
        features={"label": {"classes": classes}},
        splits=splits,
        metrics=metrics,
        summary=summary,
    )
    data = files["train"].parents[1]
    write_provenance(output.provenance, dataset, manifest, metadata, data=data, sources=sources, code=code)
    draw_distributions(metadata, output.overview)


if __name__ == "__main__":
    with job(snakemake):
        analyze(
            files={split: Path(snakemake.input[split]) for split in ORIGINS},
            cleaning=Path(snakemake.input.cleaning),
            sources=Path(snakemake.input.sources),
            dataset=snakemake.params.dataset,
            code=snakemake.params.code,
            output=snakemake.output,
        )
