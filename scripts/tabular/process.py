"""Turn the synthetic CSV into Parquet."""

from pathlib import Path

import polars as pl

from registry.files import output_folder
from registry.formats.tables import read_csv
from registry.workflow.job import job


def process(source: Path, folder: Path, n_features: int) -> None:
    """Write `<folder>/tabular.parquet`; an empty field is null."""
    columns = {f"feature_{index}": pl.Float64 for index in range(n_features)} | {"label": pl.Int64}
    table = read_csv(source, columns)
    with output_folder(folder) as partial:
        table.write_parquet(partial / "tabular.parquet", compression="zstd")


if __name__ == "__main__":
    with job(snakemake):
        process(Path(snakemake.input.table), Path(snakemake.output.folder), snakemake.params.n_features)
