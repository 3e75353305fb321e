"""Measure the synthetic table: its classes and gaps, and the profile of every column."""

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from registry.describe.charts import draw_distributions
from registry.describe.description import Description, describe
from registry.describe.manifest import row_keys
from registry.describe.tables import profile
from registry.files import write_json
from registry.formats.tables import arrow_batches, value_counts
from registry.workflow.job import job

TARGET = "label"


def measure(about: Description, file: Path) -> None:
    """Add the table in a Parquet file, batch by batch, and what follows from it."""
    features = [name for name in about.schema.names if name != TARGET]
    labels: Counter[int] = Counter()
    missing = dict.fromkeys(features, 0)
    for batch in arrow_batches(file):
        keys = row_keys("dataset.csv", about.num_samples("all"), batch.num_rows)
        about.add("all", batch, inputs=features, keys=keys)
        labels += value_counts(batch[TARGET])
        missing = {name: count + batch[name].null_count for name, count in missing.items()}
    about.facts["summary"] = {
        "num_samples": about.num_samples("all"),
        "num_features": len(features),
        "duplicate_rows": about.manifest.duplicates(),
        "label_distribution": {str(label): labels[label] for label in sorted(labels)},
        "missing_distribution": missing,
    }


if __name__ == "__main__":
    with job(snakemake):
        with describe(snakemake, pq.read_schema(snakemake.input.table)) as about:
            measure(about, Path(snakemake.input.table))
        duplicates = about.metadata["summary"]["duplicate_rows"]
        write_json(snakemake.output.profile, profile(snakemake.input.table, duplicate_rows=duplicates))
        draw_distributions(about.metadata, snakemake.output.overview)
