"""Measure the synthetic table: its classes and gaps, and the profile of every column."""

import polars as pl
import pyarrow.parquet as pq

from registry.describe.charts import draw_distributions
from registry.describe.description import Description, describe
from registry.describe.manifest import row_keys
from registry.describe.tables import profile
from registry.files import write_json
from registry.formats.tables import counts, only_batch
from registry.workflow.job import job

TARGET = "label"


def measure(about: Description, table: pl.DataFrame) -> None:
    """Add the table and what follows from it."""
    features = [name for name in table.columns if name != TARGET]
    batch = only_batch(table, about.schema)
    about.add("all", batch, inputs=features, keys=row_keys("dataset.csv", 0, table.height))
    about.facts["summary"] = {
        "num_samples": table.height,
        "num_features": len(features),
        "duplicate_rows": table.height - table.n_unique(),
        "label_distribution": counts(table[TARGET]),
        "missing_distribution": {name: table[name].null_count() for name in features},
    }


if __name__ == "__main__":
    with job(snakemake):
        table = pl.read_parquet(snakemake.input.table)
        with describe(snakemake, pq.read_schema(snakemake.input.table)) as about:
            measure(about, table)
        write_json(snakemake.output.profile, profile(table))
        draw_distributions(about.metadata, snakemake.output.overview)
