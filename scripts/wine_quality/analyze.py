"""Measure wine-quality: every column, and how many wines there are of each quality and type."""

from collections import Counter
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from registry.describe.charts import draw_distributions
from registry.describe.description import Description, describe
from registry.describe.manifest import row_keys
from registry.describe.tables import column_statistics
from registry.formats.tables import arrow_batches, value_counts
from registry.workflow.job import job

TARGET = "quality"
WINE_TYPES = {0: "red", 1: "white"}


def measure(about: Description, file: Path) -> None:
    """Add the wines in a Parquet file, whose keys are their rows in the sources, and what follows from them."""
    features = [name for name in about.schema.names if name != TARGET]
    by_type: Counter[int] = Counter()
    by_quality: Counter[int] = Counter()
    for batch in arrow_batches(file):
        found = value_counts(batch["wine_type"])
        keys = [
            key
            for wine_type in sorted(found)
            for key in row_keys(f"winequality-{WINE_TYPES[wine_type]}.csv", by_type[wine_type], found[wine_type])
        ]
        about.add("all", batch, inputs=features, keys=keys)
        by_type += found
        by_quality += value_counts(batch[TARGET])
    about.facts["summary"] = {
        "num_samples": about.num_samples("all"),
        "num_features": len(features),
        "duplicate_rows": about.manifest.duplicates(),
        "quality_distribution": {str(quality): by_quality[quality] for quality in sorted(by_quality)},
        "wine_type_distribution": {WINE_TYPES[wine_type]: by_type[wine_type] for wine_type in sorted(by_type)},
    }
    statistics: dict[str, dict[str, float]] = {}
    for name in about.schema.names:
        statistics |= column_statistics(pl.read_parquet(file, columns=[name]))
    about.facts["statistics"] = {
        "features": {name: statistics[name] for name in features},
        "target": statistics[TARGET],
    }


if __name__ == "__main__":
    with job(snakemake):
        with describe(snakemake, pq.read_schema(snakemake.input.table)) as about:
            measure(about, Path(snakemake.input.table))
        draw_distributions(about.metadata, snakemake.output.overview)
