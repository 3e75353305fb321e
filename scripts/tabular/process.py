"""Turn the synthetic CSV into Parquet."""

from pathlib import Path

import polars as pl

from registry.files import output_folder
from registry.formats.shards import WHOLE, Shard
from registry.formats.tables import as_lazy, csv_batches
from registry.workflow.job import job

ROWS = 1 << 18
"""Rows in a row group, however the table was read."""


def read(source: Path, n_features: int, shard: Shard = WHOLE) -> pl.LazyFrame:
    """Return the table in a CSV file, or a share of it; an empty field is null."""
    columns = {f"feature_{index}": pl.Float64 for index in range(n_features)} | {"label": pl.Int64}
    return as_lazy(lambda: csv_batches(source, columns, shard=shard), columns)


def process(table: pl.LazyFrame, folder: Path) -> None:
    """Write `<folder>/tabular.parquet`."""
    with output_folder(folder) as partial:
        table.sink_parquet(partial / "tabular.parquet", compression="zstd", row_group_size=ROWS)


if __name__ == "__main__":
    with job(snakemake):
        parts = snakemake.input.parts
        table = pl.scan_parquet(parts) if parts else read(Path(snakemake.input.table), snakemake.params.n_features)
        process(table, Path(snakemake.output.folder))
