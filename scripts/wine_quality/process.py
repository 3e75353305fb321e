"""Join the red and the white wines into one table, as CSV and as Parquet."""

from pathlib import Path

import polars as pl

from registry.files import output_folder
from registry.formats.tables import as_lazy, csv_batches
from registry.workflow.job import job

FEATURES = (
    "fixed acidity",
    "volatile acidity",
    "citric acid",
    "residual sugar",
    "chlorides",
    "free sulfur dioxide",
    "total sulfur dioxide",
    "density",
    "pH",
    "sulphates",
    "alcohol",
)
COLUMNS = dict.fromkeys(FEATURES, pl.Float64) | {"quality": pl.Int64}
ROWS = 1 << 18
"""Rows in a row group."""


def read(red: Path, white: Path) -> pl.LazyFrame:
    """Return the red rows (wine_type 0), then the white (1), in file order."""

    def table(path: Path, wine_type: int) -> pl.LazyFrame:
        wines = as_lazy(lambda: csv_batches(path, COLUMNS, separator=";"), COLUMNS)
        return wines.with_columns(pl.lit(wine_type, pl.Int64).alias("wine_type"))

    return pl.concat([table(red, 0), table(white, 1)])


def process(red: Path, white: Path, folder: Path) -> None:
    """Write the wines to `<folder>/wine-quality.{csv,parquet}`."""
    with output_folder(folder) as partial:
        read(red, white).sink_csv(partial / "wine-quality.csv")
        read(red, white).sink_parquet(partial / "wine-quality.parquet", compression="zstd", row_group_size=ROWS)


if __name__ == "__main__":
    with job(snakemake):
        red, white = map(Path, snakemake.input)
        process(red, white, Path(snakemake.output.folder))
