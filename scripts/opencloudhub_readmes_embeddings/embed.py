"""Turn chunks into vectors; those of the last build are taken where text and model are the same."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
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


class Work(NamedTuple):
    """What is known of chunks, and what is to be computed, by content_sha256.

    `known` has vectors of the last build, `checked` names those of them that are computed again, and `texts` has what
    is computed, `checked` among it.
    """

    known: dict[str, np.ndarray]
    checked: list[str]
    texts: dict[str, str]


def work_on(chunks: pa.Table, last: Path, model: Model) -> Work:
    """Return what there is to do for chunks; `last` has the vectors of the last build."""
    texts = dict(zip(chunks["content_sha256"].to_pylist(), chunks["content"].to_pylist(), strict=True))
    known = {sha256: vector for sha256, vector in known_vectors(last, model).items() if sha256 in texts}
    checked = list(known)[:: max(1, len(known) // SPOT_CHECKS)]
    return Work(known, checked, {key: texts[key] for key in (*checked, *(key for key in texts if key not in known))})


def read_parts(parts: Sequence[Path]) -> dict[str, np.ndarray]:
    """Return the vectors in the parts that shards have written, by content_sha256."""
    tables = [pq.read_table(part) for part in parts]
    return {
        sha256: vector
        for table in tables
        for sha256, vector in zip(table["content_sha256"].to_pylist(), vectors_of(table), strict=True)
    }


def embed(chunks_path: Path, last: Path, folder: Path, options: dict[str, Any], parts: Sequence[Path] = ()) -> None:
    """Write `<folder>/embeddings.parquet`: the chunks with their vectors, float32 [rows, dimension], of norm 1.

    `last` has the vectors of the last build. What is not in it is computed here, unless that was done in `parts`.
    """
    chunks, model = pq.read_table(chunks_path), find_model(options["model"])

    def vectors(texts: Mapping[str, str]) -> dict[str, np.ndarray]:
        return dict(zip(texts, encode(list(texts.values()), model, options["engine"]), strict=True))

    known, checked, texts = work_on(chunks, last, model)
    computed = read_parts(parts) if parts else vectors(texts)
    cosines = np.array([computed[key] @ known[key] for key in checked] or [1.0])
    if not cosines.min() >= 1 - TOLERANCE[model.precision]:
        log.warning("the vectors of the last build differ (cosine %.4f): all are computed again", cosines.min())
        known = {}
        computed = vectors(dict(zip(chunks["content_sha256"].to_pylist(), chunks["content"].to_pylist(), strict=True)))
    found = computed | known
    table = with_vectors(chunks, np.stack([found[key] for key in chunks["content_sha256"].to_pylist()]), model)
    with output_folder(folder) as partial:
        pq.write_table(table, partial / FILE, compression="zstd")
    note(f"{len(found) - len(known):,} texts embedded, {len(known):,} taken from the last build")


if __name__ == "__main__":
    with job(snakemake):
        embed(
            Path(snakemake.input.chunks),
            Path(snakemake.input.last),
            Path(snakemake.output.folder),
            snakemake.params.options,
            [Path(part) for part in snakemake.input.parts],
        )
