"""Turn the files of a dataset of the kind `table` into Parquet."""

from pathlib import Path

from registry.kinds.table import process
from registry.workflow.job import job

if __name__ == "__main__":
    with job(snakemake):
        output, params = snakemake.output, snakemake.params
        process(
            dict(zip(params.files, map(Path, snakemake.input), strict=True)),
            Path(output.folder),
            dict(zip(params.splits, map(Path, output.tables), strict=True)),
            Path(output.keys),
            Path(output.cleaning),
            contract=params.columns,
            params=params.options,
        )
