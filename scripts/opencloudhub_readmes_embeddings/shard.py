"""Compute a share of the vectors that are not known from the last build."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from opencloudhub_readmes_embeddings.embed import work_on
from registry.embedding.model import Encoder, find_model
from registry.embedding.table import vector_column
from registry.files import atomic_file
from registry.formats.shards import Shard, shard_of
from registry.workflow.job import job


def compute(chunks: Path, last: Path, part: Path, options: dict[str, Any], shard: Shard) -> None:
    """Write the columns content_sha256 and embedding, of some of the texts that `embed` would compute.

    They are whole batches of those that it would cut all texts into: the last bits of a vector depend on what is in a
    batch with its text.
    """
    model, engine = find_model(options["model"]), options["engine"]
    texts = work_on(pq.read_table(chunks), last, model).texts
    encoder = Encoder(model, threads=engine["threads"], batch_size=engine["batch_size"])
    keys, contents = [*texts], [*texts.values()]
    batches = encoder.batches(contents)
    share = shard.share(len(batches))
    places = [place for batch in batches[share.start : share.stop] for place in batch]
    vectors = encoder.encode([contents[place] for place in places])
    table = pa.table({"content_sha256": [keys[place] for place in places], "embedding": vector_column(vectors)})
    with atomic_file(part) as partial:
        pq.write_table(table, partial)


if __name__ == "__main__":
    with job(snakemake):
        compute(
            Path(snakemake.input.chunks),
            Path(snakemake.input.last),
            Path(snakemake.output.part),
            snakemake.params.options,
            shard_of(snakemake.wildcards),
        )
