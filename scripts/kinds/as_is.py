"""Keep the files of a dataset of the kind `as_is` as they are, with a table of them."""

from functools import partial

from registry.kinds.as_is import POLICIES, files_in, read, stored
from registry.kinds.tables import process, sources_of
from registry.workflow.job import job

if __name__ == "__main__":
    with job(snakemake):
        process(snakemake, read, POLICIES, store=partial(stored, files_in(sources_of(snakemake))))
