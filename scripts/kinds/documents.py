"""Turn the files of a dataset of the kind `documents` into Parquet."""

from pathlib import Path

from registry.kinds.columns import arrow_schema
from registry.kinds.documents import POLICIES, read
from registry.kinds.tables import process
from registry.workflow.job import job

if __name__ == "__main__":
    with job(snakemake):
        params = snakemake.params
        files = dict(zip(params.files, map(Path, snakemake.input), strict=True))
        process(
            snakemake,
            lambda: read(files, params.columns, params.options),
            arrow_schema(params.columns),
            POLICIES,
            tells_repeated=True,
        )
