"""Turn a share of Fashion-MNIST's gzipped IDX files into a part of each split."""

from fashion_mnist.process import SCHEMA, read_splits
from registry.files import atomic_folder
from registry.formats.shards import shard_of, write_part
from registry.workflow.job import job

if __name__ == "__main__":
    with job(snakemake):
        shard, max_images = shard_of(snakemake.wildcards), snakemake.params.options["max_images"]
        with atomic_folder(snakemake.output.part) as partial:
            for split, batches in read_splits(snakemake.input.files, max_images, shard).items():
                write_part(partial / f"{split}.arrow", batches, SCHEMA)
