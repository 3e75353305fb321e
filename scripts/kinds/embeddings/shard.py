"""Compute a share of the vectors that are not known from the last build."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from registry.embedding.model import Encoder, find_model
from registry.embedding.reuse import work_on
from registry.embedding.table import KEY, vector_column
from registry.files import atomic_file
from registry.formats.shards import Shard, shard_of
from registry.workflow.job import job


def compute(chunks: Path, last: Path, part: Path, options: Mapping[str, Any], shard: Shard) -> None:
    """Write some of the vectors that `embed` would compute, with their keys.

    They are of whole batches of those that it would cut all texts into: the last bits of a vector depend on what is in
    a batch with its text.
    """
    model, engine = find_model(options["model"], options.get("context", ())), options["engine"]
    work = work_on(pq.read_table(chunks), last, model)
    encoder = Encoder(model, threads=engine["threads"], batch_size=engine["batch_size"])
    contents = [work.texts[key] for key in work.unknown]
    batches = encoder.batches(contents)
    share = shard.share(len(batches))
    places = [place for batch in batches[share.start : share.stop] for place in batch]
    vectors = encoder.encode([contents[place] for place in places])
    table = pa.table({KEY: [work.unknown[place] for place in places], "embedding": vector_column(vectors)})
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
