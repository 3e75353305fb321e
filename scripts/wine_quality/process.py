"""Join the red and the white wines into one table, as CSV and as Parquet."""

from pathlib import Path

import polars as pl

from registry.files import output_folder
from registry.formats.tables import read_csv
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


def process(red: Path, white: Path, folder: Path) -> None:
    """Write `<folder>/wine-quality.{csv,parquet}`: the red rows (wine_type 0), then the white (1), in file order."""
    wines = pl.concat(
        read_csv(path, COLUMNS, separator=";").with_columns(pl.lit(wine_type, pl.Int64).alias("wine_type"))
        for wine_type, path in enumerate((red, white))
    )
    with output_folder(folder) as partial:
        wines.write_csv(partial / "wine-quality.csv")
        wines.write_parquet(partial / "wine-quality.parquet", compression="zstd")


if __name__ == "__main__":
    with job(snakemake):
        red, white = map(Path, snakemake.input)
        process(red, white, Path(snakemake.output.folder))
