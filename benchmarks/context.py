"""Compare what the model may read before a chunk of a README, by what retrieval and search make of it.

    PYTHONPATH=scripts python benchmarks/context.py

The search is that of `registry search`, in a database of its own.
"""

import os
import platform
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from chunking import PARAMS, SAMPLES, documents

from registry.config.embeddings import HEADINGS, TABLE
from registry.embedding.chunks import chunk_schema, chunks_of
from registry.embedding.model import Encoder, find_model
from registry.embedding.retrieval import DEPTHS, evaluate, ranking, read_questions, similarities
from registry.embedding.table import embedded_texts, with_vectors
from registry.storage.snapshot import Snapshot
from registry.vectors.database import connected
from registry.vectors.load import load
from registry.vectors.search import search
from registry.vectors.settings import DATASET, Embedded, Settings

CONTEXTS = ((), ("source_repo", *HEADINGS[1:]), ("source_repo", *HEADINGS))


def chunks() -> pa.Table:
    """Return the chunks of the READMEs of the samples."""
    columns, texts = PARAMS["columns"], pa.schema([(name, pa.string()) for name in ("repository", "path", "text")])
    rows = [row for document in documents() for row in chunks_of(document, columns, PARAMS["chunks"], Counter())]
    return pa.Table.from_pylist(rows, schema=chunk_schema(texts, columns))


def measure(context: Sequence[str], encoder: Encoder, questions: pl.DataFrame, folder: Path) -> list[dict[str, Any]]:
    """Return the measures of retrieval by vectors alone, and of a search."""
    table, model = chunks(), find_model(PARAMS["model"], context)
    contents, vectors = table["content"].to_pylist(), encoder.encode(embedded_texts(table, context))
    asked = encoder.encode(questions["question"].to_list())
    alone = evaluate(questions, contents, ranking(similarities(asked, vectors)))["all"]
    pq.write_table(with_vectors(table, vectors, model), folder / TABLE)
    place = {name: number for number, name in enumerate(table["id"].to_pylist())}
    settings = Settings(Embedded(folder / "vectors"), "benchmark", 1)
    with connected(settings.place) as connection:
        load(connection, settings, version(folder, table.num_rows, encoder.dimension), say=lambda line: None)
        found = [
            [place[hit.id] for hit in search(connection, settings, None, text, vector, max(DEPTHS))]
            for text, vector in zip(questions["question"], asked, strict=True)
        ]
    return [alone, evaluate(questions, contents, np.array(found))["all"]]


def version(folder: Path, rows: int, dimension: int) -> Snapshot:
    """Return what the database is to load: the table in a folder."""
    model = {key: PARAMS["model"][key] for key in ("name", "sha256", "precision", "max_tokens")}
    metadata = {
        "model": model | {"dimension": dimension},
        "content_hash": f"sha256:{folder.name}",
        "splits": {"all": {"num_samples": rows}},
    }
    provenance = {"data": {"path": "processed"}}
    return Snapshot(DATASET, "unreleased", metadata, provenance, {}, local=lambda path: folder / TABLE)


def main() -> None:
    """Print one row of a Markdown table for each context."""
    questions = read_questions([SAMPLES / "opencloudhub-readmes-rag-evaluation" / "questions.csv"])
    encoder = Encoder(find_model(PARAMS["model"]), threads=0, batch_size=8)
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"{os.cpu_count()} cores, {gib:.0f} GiB, Python {platform.python_version()}, {len(questions)} questions\n")
    print("| context | by vectors alone, at 1 | at 5 | at 10 | MRR | by `registry search`, at 1 | at 5 | at 10 | MRR |")
    print("|---|---|---|---|---|---|---|---|---|")
    for context in CONTEXTS:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            Path(folder).chmod(0o755)  # As root, the embedded database runs as another user.
            facts = measure(context, encoder, questions, Path(folder))
        figures = [one[key] for one in facts for key in (*(f"coverage_at_{depth}" for depth in DEPTHS), "mrr")]
        print(f"| {', '.join(context) or 'none'} | {' | '.join(f'{figure:.3f}' for figure in figures)} |", flush=True)


if __name__ == "__main__":
    main()
