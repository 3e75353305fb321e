"""Cut the documents of another dataset into chunks."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path

from registry.embedding.chunks import chunk
from registry.embedding.table import keep_vectors
from registry.files import write_json
from registry.workflow.job import job

log = logging.getLogger(__name__)


def content_hashes(metadata: Iterable[str]) -> dict[str, str]:
    """Return {dataset: content_hash} of the datasets whose metadata.json are given."""
    facts = [json.loads(Path(path).read_text(encoding="utf-8")) for path in metadata]
    return {fact["dataset"]["name"]: fact["content_hash"] for fact in facts}


if __name__ == "__main__":
    with job(snakemake):
        params, output = snakemake.params, snakemake.output
        counts = chunk(
            [*map(Path, snakemake.input.documents)],
            Path(output.chunks),
            params.columns,
            params.options,
            f"config/datasets/{params.dataset}.yaml",
        )
        write_json(output.cleaning, counts)
        log.info("%d chunks of %d documents", sum(one["chunks"] for one in counts.values()), len(counts))
        keep_vectors(Path(params.last), Path(output.last), params.context)
        write_json(
            output.sources,
            {"mode": params.source, "files": [], "datasets": content_hashes(snakemake.input.made_of)},
        )
