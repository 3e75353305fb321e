"""Measure the synthetic table: its profile, manifest, metadata and provenance."""

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from registry.describe.charts import draw_distributions
from registry.describe.manifest import positions, write_manifest
from registry.describe.metadata import write_metadata
from registry.describe.provenance import write_provenance
from registry.describe.statistics import moments
from registry.files import write_json
from registry.formats.tables import counts, only_batch
from registry.workflow.job import job

TARGET = "label"


def profile(table: pl.DataFrame) -> dict[str, Any]:
    """Return rows, duplicate rows and, for each column, dtype, missing and distinct values, and moments."""
    columns = {}
    for name, column in zip(table.columns, table.iter_columns(), strict=True):
        present = column.drop_nulls()
        columns[name] = {
            "dtype": str(column.dtype),
            "missing": column.null_count(),
            "missing_rate": column.null_count() / table.height,
            "distinct": present.n_unique(),
            **(moments(present.to_list()) if len(present) else {}),
        }
    return {"rows": table.height, "duplicate_rows": table.height - table.n_unique(), "columns": columns}


def analyze(table_path: Path, sources: Path, dataset: dict[str, Any], code: dict[str, str], output: Any) -> None:
    """Read the processed table and write what follows from it."""
    table = pl.read_parquet(table_path)
    features = [name for name in table.columns if name != TARGET]
    schema = pq.read_schema(table_path)
    batch = only_batch(table, schema)
    keys = positions("dataset.csv", 0, table.height)
    with write_manifest(output.manifest, dataset, schema) as manifest:
        manifest.add("all", batch, inputs=features, keys=keys)
    facts = profile(table)
    metadata = write_metadata(
        output.metadata,
        dataset,
        manifest,
        summary={
            "num_samples": table.height,
            "num_features": len(features),
            "duplicate_rows": facts["duplicate_rows"],
            "label_distribution": counts(table[TARGET]),
            "missing_distribution": {name: facts["columns"][name]["missing"] for name in features},
        },
    )
    write_json(output.profile, facts)
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
