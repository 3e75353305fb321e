"""Measure the embeddings: how well they answer the evaluation's questions, manifest, metadata and provenance."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from registry.describe.charts import draw_distributions
from registry.describe.manifest import write_manifest
from registry.describe.metadata import write_metadata
from registry.describe.provenance import write_provenance
from registry.describe.statistics import moments
from registry.embedding.model import Encoder, find_model
from registry.embedding.retrieval import DECIMALS, evaluate, ranking
from registry.embedding.table import vectors_of
from registry.formats.tables import counts
from registry.workflow.job import job

SPLIT = "all"
CORPUS = "opencloudhub-readmes"
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


def analyze(
    embeddings: Path,
    questions_path: Path,
    sources: Path,
    cleaning: Path,
    dataset: dict[str, Any],
    code: dict[str, str],
    output: Any,
) -> None:
    """Read the embeddings once, ask the questions, and write what follows from both."""
    params = dataset["params"]
    model = find_model(params["model"])
    encoder = Encoder(model, threads=params["engine"]["threads"], batch_size=params["engine"]["batch_size"])
    table = pq.read_table(embeddings)
    questions = pl.read_csv(questions_path, infer_schema=False)
    contents = table["content"].to_pylist()
    vectors = vectors_of(table)
    ranked = ranking(encoder.encode(questions["question"].to_list()), vectors)
    retrieval = evaluate(questions, contents, ranked)
    tokens = encoder.lengths(contents)
    # Shows, as the measures of retrieval do, if vectors moved by more than their last bits.
    similar = (vectors[:-1] * vectors[1:]).sum(axis=1).tolist() or [1.0]
    with write_manifest(output.manifest, dataset, table.schema, computed={"embedding": model.identity}) as manifest:
        manifest.check_retrieval(retrieval["all"])
        for batch in table.to_batches():
            manifest.add(SPLIT, batch, inputs=["content"], keys=batch.column("id").to_pylist())
    cleaned = json.loads(cleaning.read_text(encoding="utf-8"))
    corpus = json.loads(sources.read_text(encoding="utf-8"))["datasets"][CORPUS]
    metadata = write_metadata(
        output.metadata,
        dataset,
        manifest,
        features=FEATURES,
        source_content_hash=corpus,
        source_data_version=None,
        embedding_model=model.name,
        model={
            "name": model.name,
            "sha256": model.sha256,
            "precision": model.precision,
            "max_tokens": model.max_tokens,
            "dimension": encoder.dimension,
        },
        chunk_size=params["chunks"]["size"],
        chunk_overlap=params["chunks"]["overlap"],
        summary={
            "documents": len(cleaned),
            "chunks": table.num_rows,
            "dropped": {
                reason: sum(one[reason] for one in cleaned.values()) for reason in ("short", "noise", "repeated")
            },
            "cut_at_max_tokens": sum(length > model.max_tokens for length in tokens),
            "source_repo_distribution": counts(pl.Series("source_repo", table["source_repo"].to_pylist())),
        },
        statistics={
            "features": {
                "characters": moments([len(text) for text in contents]),
                "tokens": moments(tokens),
                "similarity_to_next": {name: round(value, DECIMALS) for name, value in moments(similar).items()},
            }
        },
        retrieval=retrieval,
    )
    write_provenance(output.provenance, dataset, manifest, metadata, data=embeddings.parent, sources=sources, code=code)
    draw_distributions(metadata, output.overview)


if __name__ == "__main__":
    with job(snakemake):
        analyze(
            embeddings=Path(snakemake.input.embeddings),
            questions_path=Path(snakemake.input.questions),
            sources=Path(snakemake.input.sources),
            cleaning=Path(snakemake.input.cleaning),
            dataset=snakemake.params.dataset,
            code=snakemake.params.code,
            output=snakemake.output,
        )
