"""Turn the pictures of a dataset of the kind `images` into Parquet, or files with a table beside."""

from pathlib import Path

from registry.kinds.columns import arrow_schema
from registry.kinds.images import POLICIES, read
from registry.kinds.stored import stored, stored_schema
from registry.kinds.tables import process
from registry.workflow.job import job

if __name__ == "__main__":
    with job(snakemake):
        params, in_files = snakemake.params, snakemake.params.options.get("files")
        files = dict(zip(params.files, map(Path, snakemake.input), strict=True))
        process(
            snakemake,
            lambda: read(files, params.columns, params.options, snakemake.threads),
            stored_schema(params.columns) if in_files else arrow_schema(params.columns),
            POLICIES,
            tells_repeated=True,
            store=stored if in_files else None,
        )
