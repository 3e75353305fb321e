"""Turn chunks into vectors; those of the last build are taken where text and model are the same."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from registry.config.embeddings import TABLE, engine_of
from registry.embedding.engines import encode
from registry.embedding.model import TOLERANCE, find_model
from registry.embedding.reuse import read_parts, work_on
from registry.embedding.table import with_vectors
from registry.files import output_folder
from registry.workflow.job import job, note

log = logging.getLogger(__name__)


def embed(chunks_path: Path, last: Path, folder: Path, options: Mapping[str, Any], parts: Sequence[Path] = ()) -> None:
    """Write `<folder>/embeddings.parquet`: the chunks with their vectors, float32 [rows, dimension], of norm 1.

    `last` has the vectors of the last build. What is not in it is computed here, unless that was done in `parts`.
    """
    chunks, model = pq.read_table(chunks_path), find_model(options["model"], options.get("context", ()))
    work = work_on(chunks, last, model)
    known = work.known

    def vectors(keys: Iterable[str]) -> dict[str, np.ndarray]:
        texts = {key: work.texts[key] for key in keys}
        return dict(zip(texts, encode([*texts.values()], model, options["engine"]), strict=True))

    computed = read_parts(parts) if parts else vectors(work.unknown)
    cosines = np.array([computed[key] @ known[key] for key in work.checked] or [1.0])
    if not cosines.min() >= 1 - TOLERANCE[model.precision]:
        log.warning("the vectors of the last build differ (cosine %.4f): all are computed again", cosines.min())
        known, computed = {}, vectors(work.texts)
    found = computed | known
    table = with_vectors(chunks, np.stack([found[key] for key in work.keys]), model)
    with output_folder(folder) as partial:
        pq.write_table(table, partial / TABLE, compression="zstd")
    note(f"{len(found) - len(known):,} texts embedded, {len(known):,} taken from the last build")


if __name__ == "__main__":
    options = {**snakemake.params.options, "engine": engine_of(snakemake.params.options, snakemake.config)}
    if options["engine"]["name"] == "ray":
        # Ray Data needs it, and job() keeps it from what did not import it before.
        with suppress(ImportError):
            import pandas  # noqa: F401
    with job(snakemake):
        embed(
            Path(snakemake.input.chunks),
            Path(snakemake.input.last),
            Path(snakemake.output.folder),
            options,
            [Path(part) for part in snakemake.input.parts],
        )
