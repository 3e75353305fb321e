"""Turn the files of a dataset of the kind `text` into Parquet."""

from registry.kinds.tables import process
from registry.kinds.text import POLICIES, read
from registry.workflow.job import job

if __name__ == "__main__":
    with job(snakemake):
        process(snakemake, read, POLICIES)
