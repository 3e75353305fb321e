"""Measure wine-quality: every column, and how many wines there are of each quality and type."""

import polars as pl
import pyarrow.parquet as pq

from registry.describe.charts import draw_distributions
from registry.describe.description import Description, describe
from registry.describe.manifest import row_keys
from registry.describe.tables import column_statistics
from registry.formats.tables import counts, only_batch
from registry.workflow.job import job

TARGET = "quality"
WINE_TYPES = {0: "red", 1: "white"}


def measure(about: Description, wines: pl.DataFrame) -> None:
    """Add the wines, whose keys are their rows in the sources, and what follows from them."""
    num_by_type = wines["wine_type"].value_counts()
    by_type = {WINE_TYPES[wine_type]: count for wine_type, count in sorted(num_by_type.iter_rows())}
    keys = [key for name, count in by_type.items() for key in row_keys(f"winequality-{name}.csv", 0, count)]
    features = wines.drop(TARGET)
    about.add("all", only_batch(wines, about.schema), inputs=features.columns, keys=keys)
    about.facts["summary"] = {
        "num_samples": wines.height,
        "num_features": features.width,
        "duplicate_rows": wines.height - wines.n_unique(),
        "quality_distribution": counts(wines[TARGET]),
        "wine_type_distribution": by_type,
    }
    statistics = column_statistics(wines)
    about.facts["statistics"] = {
        "features": {name: statistics[name] for name in features.columns},
        "target": statistics[TARGET],
    }


if __name__ == "__main__":
    with job(snakemake):
        with describe(snakemake, pq.read_schema(snakemake.input.table)) as about:
            measure(about, pl.read_parquet(snakemake.input.table))
        draw_distributions(about.metadata, snakemake.output.overview)
