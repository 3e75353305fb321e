"""Describe a dataset of any kind: its manifest, and what there is to know of every column."""

from registry.kinds.measured import measured
from registry.workflow.job import job

if __name__ == "__main__":
    with job(snakemake):
        dataset = snakemake.params.dataset
        with measured(snakemake, dataset["kind"]):
            pass
