"""Measure wine-quality: every column, the distributions of quality and type, manifest, metadata and provenance."""

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

TARGET = "quality"
WINE_TYPES = {0: "red", 1: "white"}


def analyze(table_path: Path, sources: Path, dataset: dict[str, Any], code: dict[str, str], output: Any) -> None:
    """Read the processed table and write what follows from it. The target is in `statistics.target`."""
    wines = pl.read_parquet(table_path)
    features = [name for name in wines.columns if name != TARGET]
    num_by_type = wines["wine_type"].value_counts()
    by_type = {WINE_TYPES[wine_type]: count for wine_type, count in sorted(num_by_type.iter_rows())}
    keys = [key for name, count in by_type.items() for key in positions(f"winequality-{name}.csv", 0, count)]
    schema = pq.read_schema(table_path)
    batch = only_batch(wines, schema)
    with write_manifest(output.manifest, dataset, schema) as manifest:
        manifest.add("all", batch, inputs=features, keys=keys)
    metadata = write_metadata(
        output.metadata,
        dataset,
        manifest,
        summary={
            "num_samples": wines.height,
            "num_features": len(features),
            "quality_distribution": counts(wines[TARGET]),
            "wine_type_distribution": by_type,
        },
        statistics={
            "features": {name: moments(wines[name].to_list()) for name in features},
            "target": moments(wines[TARGET].to_list()),
        },
    )
    write_provenance(output.provenance, dataset, manifest, metadata, data=table_path.parent, sources=sources, code=code)
    draw_distributions(metadata, output.overview)


if __name__ == "__main__":
    with job(snakemake):
        analyze(
            table_path=Path(snakemake.input.table),
            sources=Path(snakemake.input.sources),
            dataset=snakemake.params.dataset,
            code=snakemake.params.code,
            output=snakemake.output,
        )
