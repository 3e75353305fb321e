"""Turn chunks into vectors; those of the last build are taken where text and model are the same."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from registry.embedding.engines import encode
from registry.embedding.model import TOLERANCE, Model, find_model
from registry.embedding.table import FILE, MODEL, vectors_of, with_vectors
from registry.files import output_folder
from registry.workflow.job import job, note

log = logging.getLogger(__name__)

SPOT_CHECKS = 8
"""So many of the vectors that are taken over are computed again; if one differs, all are."""


def known_vectors(path: Path, model: Model) -> dict[str, np.ndarray]:
    """Return the vectors of the last build by content_sha256; none if another model made them."""
    table = pq.read_table(path)
    if table.schema.metadata.get(MODEL) != model.identity.encode():
        return {}
    return dict(zip(table["content_sha256"].to_pylist(), vectors_of(table), strict=True))


def embed(chunks_path: Path, last: Path, folder: Path, options: dict[str, Any]) -> None:
    """Write `<folder>/embeddings.parquet`: the chunks with their vectors, float32 [rows, dimension], of norm 1.

    `last` has the vectors of the last build.
    """
    chunks = pq.read_table(chunks_path)
    model = find_model(options["model"])
    texts = dict(zip(chunks["content_sha256"].to_pylist(), chunks["content"].to_pylist(), strict=True))
    known = {sha256: vector for sha256, vector in known_vectors(last, model).items() if sha256 in texts}
    checked = list(known)[:: max(1, len(known) // SPOT_CHECKS)]
    wanted = [sha256 for sha256 in texts if sha256 not in known]
    computed = encode([texts[sha256] for sha256 in checked + wanted], model, options["engine"])
    cosines = (computed[: len(checked)] * [known[sha256] for sha256 in checked]).sum(axis=1) if checked else np.ones(1)
    if not cosines.min() >= 1 - TOLERANCE[model.precision]:
        log.warning("the vectors of the last build differ (cosine %.4f): all are computed again", cosines.min())
        known, wanted = {}, list(texts)
        computed = encode(list(texts.values()), model, options["engine"])
    else:
        computed = computed[len(checked) :]
    vectors = known | dict(zip(wanted, computed, strict=True))
    table = with_vectors(chunks, np.stack([vectors[key] for key in chunks["content_sha256"].to_pylist()]), model)
    with output_folder(folder) as partial:
        pq.write_table(table, partial / FILE, compression="zstd")
    note(f"{len(wanted):,} texts embedded, {len(known):,} taken from the last build")


if __name__ == "__main__":
    with job(snakemake):
        embed(
            Path(snakemake.input.chunks),
            Path(snakemake.input.last),
            Path(snakemake.output.folder),
            snakemake.params.options,
        )
