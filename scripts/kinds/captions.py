"""Turn the pictures and captions of a dataset of the kind `captions` into Parquet."""

import json
from pathlib import Path

from registry.kinds.captions import POLICIES, read
from registry.kinds.columns import arrow_schema
from registry.kinds.tables import process
from registry.workflow.job import job

if __name__ == "__main__":
    with job(snakemake):
        params = snakemake.params
        files = dict(zip(params.files, map(Path, snakemake.input.files), strict=True))
        prompts = [json.loads(Path(file).read_text(encoding="utf-8"))["prompt_text"] for file in snakemake.input.prompt]
        process(
            snakemake,
            lambda: read(files, params.columns, params.options, next(iter(prompts), None), snakemake.threads),
            arrow_schema(params.columns),
            POLICIES,
            tells_repeated=True,
        )
