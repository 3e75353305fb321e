"""Turn the pictures and captions of a dataset of the kind `captions` into Parquet."""

import json
from functools import partial
from pathlib import Path

from registry.kinds.captions import POLICIES, read
from registry.kinds.tables import process
from registry.workflow.job import job

if __name__ == "__main__":
    with job(snakemake):
        prompts = [json.loads(Path(file).read_text(encoding="utf-8"))["prompt_text"] for file in snakemake.input.prompt]
        reads = partial(read, prompt=next(iter(prompts), None), threads=snakemake.threads)
        process(snakemake, reads, POLICIES)
