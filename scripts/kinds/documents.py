"""Turn the files of a dataset of the kind `documents` into Parquet."""

from registry.kinds.documents import POLICIES, read
from registry.kinds.tables import process
from registry.workflow.job import job

if __name__ == "__main__":
    with job(snakemake):
        process(snakemake, read, POLICIES)
