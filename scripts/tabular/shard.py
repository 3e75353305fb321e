"""Turn a share of the synthetic CSV into a part of the table."""

from pathlib import Path

from registry.files import atomic_file
from registry.formats.shards import shard_of
from registry.workflow.job import job
from tabular.process import read

if __name__ == "__main__":
    with job(snakemake):
        table = read(Path(snakemake.input.table), snakemake.params.n_features, shard_of(snakemake.wildcards))
        with atomic_file(snakemake.output.part) as partial:
            table.sink_parquet(partial, compression="lz4")
