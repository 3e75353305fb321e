"""Turn the pictures of a dataset of the kind `images` into Parquet, or files with a table beside."""

from functools import partial

from registry.kinds.images import POLICIES, read
from registry.kinds.stored import stored, stored_schema
from registry.kinds.tables import process
from registry.workflow.job import job

if __name__ == "__main__":
    with job(snakemake):
        in_files = snakemake.params.options.get("files")
        process(
            snakemake,
            partial(read, threads=snakemake.threads),
            POLICIES,
            schema=stored_schema(snakemake.params.columns) if in_files else None,
            store=stored if in_files else None,
        )
