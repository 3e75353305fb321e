"""Measure the database of vectors at 100,000 chunks, into vectors.md: python benchmarks/vectors.py [--rows N].

The chunks have made-up words and the vectors of made-up topics: neighbours are alike, as in real text.
"""

import argparse
import hashlib
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measure import ROOT, Row, Usage, write_table

sys.path.insert(0, str(ROOT / "scripts"))

from pgvector import Vector  # noqa: E402
from psycopg import Connection  # noqa: E402
from psycopg.sql import SQL, Identifier  # noqa: E402
from psycopg.types.json import Jsonb  # noqa: E402

from registry.storage.snapshot import Snapshot  # noqa: E402
from registry.vectors.database import connected  # noqa: E402
from registry.vectors.load import load  # noqa: E402
from registry.vectors.search import search  # noqa: E402
from registry.vectors.settings import Embedded, Settings  # noqa: E402

DIMENSION = 384
TOPICS, WORDS, QUESTIONS, TOP = 500, 20_000, 200, 10


@dataclass(frozen=True)
class Corpus:
    """Made-up chunks, and questions about them."""

    path: Path
    vectors: np.ndarray
    questions: list[tuple[str, np.ndarray]]


def made_up(rows: int, folder: Path) -> Corpus:
    """Write a file of chunks as a build would, and draw questions near some of them."""
    random = np.random.default_rng(0)
    topics = random.standard_normal((TOPICS, DIMENSION))
    vectors = topics[random.integers(TOPICS, size=rows)] + random.standard_normal((rows, DIMENSION))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    words = np.array([f"word{number}" for number in range(WORDS)])
    texts = [" ".join(words[random.zipf(1.3, 60) % WORDS]) for _ in range(rows)]
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSION)
    table = pa.table(
        {
            "id": [
                str(uuid.UUID(bytes=hashlib.md5(str(n).encode(), usedforsecurity=False).digest())) for n in range(rows)
            ],
            "content": texts,
            "embedding": column,
            "source_repo": ["made-up"] * rows,
            "source_file": ["README.md"] * rows,
            **{f"section_h{level}": pa.nulls(rows, pa.string()) for level in (1, 2, 3)},
            "chunk_index": list(range(rows)),
        }
    )
    path = folder / "embeddings.parquet"
    pq.write_table(table, path)
    near = vectors[random.integers(rows, size=QUESTIONS)] + 0.03 * random.standard_normal((QUESTIONS, DIMENSION))
    near = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    asked = [" ".join(words[random.integers(2_000, WORDS, size=5)]) for _ in range(QUESTIONS)]
    return Corpus(path, vectors, list(zip(asked, near, strict=True)))


def timed(work: Callable[[], Any]) -> Usage:
    """Return the seconds that some work took; CPU and memory are the server's, and not counted."""
    started = time.monotonic()
    work()
    return Usage(time.monotonic() - started, 0, 0)


def rows_of(corpus: Corpus) -> list[tuple[Any, ...]]:
    """Return what goes into the table, in memory."""
    table = pq.read_table(corpus.path, columns=["id", "content"])
    ids, texts = (column.to_pylist() for column in table.columns)
    return [
        (uuid.UUID(one), text, vector, Jsonb({})) for one, text, vector in zip(ids, texts, corpus.vectors, strict=True)
    ]


def plain_table(connection: Connection, name: str) -> Identifier:
    """Create a table of the same columns, without indexes."""
    columns = f"id uuid PRIMARY KEY, content text, embedding vector({DIMENSION}), metadata jsonb"
    connection.execute(SQL("CREATE TABLE {} (" + columns + ")").format(Identifier(name)))
    return Identifier(name)


def copied(connection: Connection, rows: list[tuple[Any, ...]]) -> Usage:
    """Copy the rows into a table without indexes."""
    command = SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(plain_table(connection, "copied"))

    def work() -> None:
        with connection.cursor() as cursor, cursor.copy(command) as copy:
            copy.set_types(("uuid", "text", "vector", "jsonb"))
            for row in rows:
                copy.write_row(row)

    return timed(work)


def inserted(connection: Connection, rows: list[tuple[Any, ...]]) -> Usage:
    """Insert the rows one by one into a table without indexes, in one transaction."""
    command = SQL("INSERT INTO {} VALUES (%s, %s, %s, %s)").format(plain_table(connection, "inserted"))

    def work() -> None:
        with connection.transaction():
            for row in rows:
                connection.execute(command, row)

    return timed(work)


def searched(connection: Connection, settings: Settings, corpus: Corpus) -> Row:
    """Ask all questions, and compare the nearest by the index with the nearest of all."""
    seconds = [
        timed(lambda asked=asked: search(connection, settings, None, *asked, TOP)).wall for asked in corpus.questions
    ]
    ids = pq.read_table(corpus.path, columns=["id"])["id"].to_pylist()
    hits = 0
    for _, vector in corpus.questions:
        exact = {ids[index] for index in np.argpartition(-(corpus.vectors @ vector), TOP)[:TOP]}
        with connection.transaction():
            connection.execute("SET LOCAL hnsw.ef_search = 100")
            query = SQL("SELECT id FROM {} ORDER BY embedding <=> %s LIMIT %s").format(Identifier(settings.table))
            hits += len(exact & {str(one) for (one,) in connection.execute(query, (Vector(vector), TOP))})
    p50, p95 = (statistics.quantiles(seconds, n=20)[index] * 1000 for index in (9, 18))
    note = f"p50 {p50:.0f} ms, p95 {p95:.0f} ms; recall@10 of the index {hits / (TOP * len(corpus.questions)):.3f}"
    return f"hybrid search, {len(corpus.questions)} questions", Usage(sum(seconds), 0, 0), note


def main() -> None:
    """Load made-up chunks into a database of their own, in three ways, and search them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        corpus = made_up(rows, folder)
        settings = Settings(Embedded(folder / "vectors"), "readme_embeddings", 1)
        model = {"name": "none", "sha256": "none", "precision": "float32", "max_tokens": 1, "dimension": DIMENSION}
        metadata = {"content_hash": "sha256:0", "model": model, "splits": {"all": {"num_samples": rows}}}
        provenance = {"data": {"path": "processed"}}
        version = Snapshot("made-up", "made-up", metadata, provenance, {}, lambda _: corpus.path)
        with connected(settings.place) as connection:
            whole = timed(lambda: load(connection, settings, version, say=lambda line: None))
            in_memory = rows_of(corpus)
            copy, insert = copied(connection, in_memory), inserted(connection, in_memory)
            found = searched(connection, settings, corpus)
    write_table(
        "vectors",
        [
            (f"load of {rows:,} vectors of {DIMENSION}: COPY, GIN, HNSW, checks, swap", whole, ""),
            ("COPY alone", copy, f"{copy.wall / whole.wall:.2f}x the load"),
            ("INSERT row by row, no index", insert, f"{insert.wall / copy.wall:.1f}x the COPY"),
            found,
        ],
    )


if __name__ == "__main__":
    main()
