"""Measure embeddings: their chunks and, where there are questions, how well they answer them."""

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
from registry.embedding.chunks import DROPPED
from registry.embedding.model import Encoder, Model, find_model
from registry.embedding.retrieval import DECIMALS, evaluate, ranking, read_questions, similarities
from registry.embedding.table import embedded_texts, vectors_of
from registry.formats.tables import arrow_batches, value_counts
from registry.workflow.job import job

SPLIT = "all"
ROWS = 20_000
"""Chunks in memory at once with their vectors."""
MANY = 100
"""Where there are more documents than this, by the first of their columns, chunks are not counted for each."""
FEATURES = {
    "id": "UUIDv5 of what names the document, of headings and text",
    "content": "text of the chunk, without HTML, badges and base64",
    "embedding": "vector of the text, of norm 1; equal texts and models give equal vectors but for rounding",
    "section_h1": "heading of level 1 that the chunk stands under",
    "section_h2": "heading of level 2 that the chunk stands under",
    "section_h3": "heading of level 3 that the chunk stands under",
    "chunk_index": "position among the document's chunks, from 0",
    "char_start": "where in the document's text the chunk begins, in characters",
    "char_end": "where it ends, exclusive",
    "content_sha256": "hex SHA-256 of the text",
}


def measure(
    about: Description,
    file: Path,
    questions: pl.DataFrame | None,
    cleaning: Mapping[str, Mapping[str, int]],
    *,
    model: Model,
    params: Mapping[str, Any],
    columns: Mapping[str, str],
    corpus: str,
) -> None:
    """Add the chunks in a Parquet file with their vectors, and what follows from them and from asking the questions.

    `cleaning` counts the chunks of each document, `columns` maps columns of chunks to those of their documents, by the
    first of which chunks are counted, and `corpus` is the content_hash of the documents.
    """
    encoder = Encoder(model, threads=params["engine"]["threads"], batch_size=params["engine"]["batch_size"])
    asked = encoder.encode([] if questions is None else questions["question"].to_list())
    of_document = next(iter(columns))
    contents: list[str] = []
    lengths: list[int] = []
    tokens: list[int] = []
    similar: list[float] = []
    similarity: list[np.ndarray] = []
    documents: Counter[str] = Counter()
    last = np.empty((0, encoder.dimension), np.float32)
    for batch in arrow_batches(file, ROWS):
        vectors, texts = vectors_of(pa.Table.from_batches([batch])), batch["content"].to_pylist()
        about.add(SPLIT, batch, inputs=["content"], keys=batch["id"].to_pylist())
        lengths += map(len, texts)
        tokens += encoder.lengths(embedded_texts(batch, model.context))
        if questions is not None:
            contents += texts
            similarity.append(similarities(asked, vectors))
        documents += value_counts(batch[of_document])
        # Shows, as the measures of retrieval do, if vectors moved by more than their last bits.
        chain = np.concatenate([last, vectors])
        similar += (chain[:-1] * chain[1:]).sum(axis=1).tolist()
        last = vectors[-1:]
    about.features |= {name: {"description": text} for name, text in FEATURES.items()}
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
        "context": [*model.context],
        "summary": {
            "documents": len(cleaning),
            "chunks": len(lengths),
            "dropped": {reason: sum(counted[reason] for counted in cleaning.values()) for reason in DROPPED},
            "cut_at_max_tokens": sum(length > model.max_tokens for length in tokens),
        },
        "statistics": {
            "features": {
                "characters": summarise(lengths),
                "tokens": summarise(tokens),
                "similarity_to_next": {
                    name: round(value, DECIMALS) for name, value in summarise(similar or [1.0]).items()
                },
            }
        },
    }
    if len(documents) <= MANY:
        counted = {str(name): documents[name] for name in sorted(documents)}
        about.facts["summary"][f"{of_document}_distribution"] = counted
    if questions is not None:
        ranked = ranking(np.concatenate(similarity, axis=1))
        about.facts["retrieval"] = evaluate(questions, contents, ranked)


if __name__ == "__main__":
    with job(snakemake):
        params = snakemake.params.dataset["params"]
        file, model = Path(snakemake.input.embeddings), find_model(params["model"], params.get("context", ()))
        sources = json.loads(Path(snakemake.input.sources).read_text(encoding="utf-8"))
        with describe(snakemake, pq.read_schema(file), computed={"embedding": model.identity}) as about:
            measure(
                about,
                file,
                questions=read_questions([*map(Path, snakemake.input.questions)]),
                cleaning=json.loads(Path(snakemake.input.cleaning).read_text(encoding="utf-8")),
                model=model,
                params=params,
                columns=snakemake.params.columns,
                corpus=sources["datasets"][snakemake.params.of],
            )
        draw_distributions(about.metadata, snakemake.output.overview)
