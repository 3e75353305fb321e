"""Measure the embeddings: their chunks, and how well they answer the evaluation's questions."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from registry.describe.charts import draw_distributions
from registry.describe.description import Description, describe
from registry.describe.statistics import summarise
from registry.embedding.model import Encoder, Model, find_model
from registry.embedding.retrieval import DECIMALS, evaluate, ranking
from registry.embedding.table import vectors_of
from registry.formats.tables import counts
from registry.workflow.job import job

SPLIT = "all"
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
    table: pa.Table,
    questions: pl.DataFrame,
    cleaning: Mapping[str, Mapping[str, int]],
    *,
    model: Model,
    params: Mapping[str, Any],
    corpus: str,
) -> None:
    """Add the chunks with their vectors, and what follows from them and from asking the questions.

    `cleaning` counts the chunks of each document, and `corpus` is the content_hash of the documents.
    """
    encoder = Encoder(model, threads=params["engine"]["threads"], batch_size=params["engine"]["batch_size"])
    contents, vectors = table["content"].to_pylist(), vectors_of(table)
    for batch in table.to_batches():
        about.add(SPLIT, batch, inputs=["content"], keys=batch.column("id").to_pylist())
    ranked = ranking(encoder.encode(questions["question"].to_list()), vectors)
    tokens = encoder.lengths(contents)
    # Shows, as the measures of retrieval do, if vectors moved by more than their last bits.
    similar = (vectors[:-1] * vectors[1:]).sum(axis=1).tolist() or [1.0]
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
            "chunks": table.num_rows,
            "dropped": {reason: sum(counted[reason] for counted in cleaning.values()) for reason in DROPPED},
            "cut_at_max_tokens": sum(length > model.max_tokens for length in tokens),
            "source_repo_distribution": counts(pl.Series("source_repo", table["source_repo"].to_pylist())),
        },
        "statistics": {
            "features": {
                "characters": summarise([len(text) for text in contents]),
                "tokens": summarise(tokens),
                "similarity_to_next": {name: round(value, DECIMALS) for name, value in summarise(similar).items()},
            }
        },
        "retrieval": evaluate(questions, contents, ranked),
    }


if __name__ == "__main__":
    with job(snakemake):
        params = snakemake.params.dataset["params"]
        table, model = pq.read_table(snakemake.input.embeddings), find_model(params["model"])
        sources = json.loads(Path(snakemake.input.sources).read_text(encoding="utf-8"))
        with describe(snakemake, table.schema, computed={"embedding": model.identity}) as about:
            measure(
                about,
                table,
                questions=pl.read_csv(snakemake.input.questions, infer_schema=False),
                cleaning=json.loads(Path(snakemake.input.cleaning).read_text(encoding="utf-8")),
                model=model,
                params=params,
                corpus=sources["datasets"][CORPUS],
            )
        draw_distributions(about.metadata, snakemake.output.overview)
