"""Measure the embeddings: their chunks, and how well they answer the evaluation's questions."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from registry.describe.charts import draw_distributions
from registry.describe.description import Description, describe
from registry.describe.statistics import summarise
from registry.embedding.model import Encoder, Model, find_model
from registry.embedding.retrieval import DECIMALS, evaluate, ranking, similarities
from registry.embedding.table import vectors_of
from registry.formats.tables import arrow_batches, value_counts
from registry.workflow.job import job

SPLIT = "all"
ROWS = 20_000
"""Chunks in memory at once with their vectors."""
CORPUS = "opencloudhub-readmes"
DROPPED = ("short", "noise", "repeated")
FEATURES = {
    "id": {"description": "UUIDv5 of repository, file, headings and text"},
    "content": {"description": "text of the chunk, without HTML, badges and base64"},
    "embedding": {
        "description": "vector of the text, of norm 1; equal texts and models give equal vectors but for rounding"
    },
    "source_repo": {"description": "name of the repository"},
    "source_file": {"description": "path of the README in its repository"},
    "section_h1": {"description": "heading of level 1 that the chunk stands under"},
    "section_h2": {"description": "heading of level 2 that the chunk stands under"},
    "section_h3": {"description": "heading of level 3 that the chunk stands under"},
    "chunk_index": {"description": "position among the README's chunks, from 0"},
    "char_start": {"description": "where in the README's text the chunk begins, in characters"},
    "char_end": {"description": "where it ends, exclusive"},
    "content_sha256": {"description": "hex SHA-256 of the text"},
}


def measure(
    about: Description,
    file: Path,
    questions: pl.DataFrame,
    cleaning: Mapping[str, Mapping[str, int]],
    *,
    model: Model,
    params: Mapping[str, Any],
    corpus: str,
) -> None:
    """Add the chunks in a Parquet file with their vectors, and what follows from them and from asking the questions.

    `cleaning` counts the chunks of each document, and `corpus` is the content_hash of the documents.
    """
    encoder = Encoder(model, threads=params["engine"]["threads"], batch_size=params["engine"]["batch_size"])
    asked = encoder.encode(questions["question"].to_list())
    contents: list[str] = []
    tokens: list[int] = []
    similar: list[float] = []
    similarity: list[np.ndarray] = []
    repositories: Counter[str] = Counter()
    last = np.empty((0, encoder.dimension), np.float32)
    for batch in arrow_batches(file, ROWS):
        vectors, texts = vectors_of(pa.Table.from_batches([batch])), batch["content"].to_pylist()
        about.add(SPLIT, batch, inputs=["content"], keys=batch["id"].to_pylist())
        contents += texts
        tokens += encoder.lengths(texts)
        similarity.append(similarities(asked, vectors))
        repositories += value_counts(batch["source_repo"])
        # Shows, as the measures of retrieval do, if vectors moved by more than their last bits.
        chain = np.concatenate([last, vectors])
        similar += (chain[:-1] * chain[1:]).sum(axis=1).tolist()
        last = vectors[-1:]
    ranked = ranking(np.concatenate(similarity, axis=1))
    about.features |= FEATURES
    about.facts |= {
        "source_content_hash": corpus,
        "source_data_version": None,
        "embedding_model": model.name,
        "model": {
            "name": model.name,
            "sha256": model.sha256,
            "precision": model.precision,
            "max_tokens": model.max_tokens,
            "dimension": encoder.dimension,
        },
        "chunk_size": params["chunks"]["size"],
        "chunk_overlap": params["chunks"]["overlap"],
        "summary": {
            "documents": len(cleaning),
            "chunks": len(contents),
            "dropped": {reason: sum(counted[reason] for counted in cleaning.values()) for reason in DROPPED},
            "cut_at_max_tokens": sum(length > model.max_tokens for length in tokens),
            "source_repo_distribution": {name: repositories[name] for name in sorted(repositories)},
        },
        "statistics": {
            "features": {
                "characters": summarise([len(text) for text in contents]),
                "tokens": summarise(tokens),
                "similarity_to_next": {
                    name: round(value, DECIMALS) for name, value in summarise(similar or [1.0]).items()
                },
            }
        },
        "retrieval": evaluate(questions, contents, ranked),
    }


if __name__ == "__main__":
    with job(snakemake):
        params = snakemake.params.dataset["params"]
        file, model = Path(snakemake.input.embeddings), find_model(params["model"])
        sources = json.loads(Path(snakemake.input.sources).read_text(encoding="utf-8"))
        with describe(snakemake, pq.read_schema(file), computed={"embedding": model.identity}) as about:
            measure(
                about,
                file,
                questions=pl.read_csv(snakemake.input.questions, infer_schema=False),
                cleaning=json.loads(Path(snakemake.input.cleaning).read_text(encoding="utf-8")),
                model=model,
                params=params,
                corpus=sources["datasets"][CORPUS],
            )
        draw_distributions(about.metadata, snakemake.output.overview)
