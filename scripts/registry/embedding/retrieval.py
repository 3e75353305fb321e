"""How well vectors find what questions are about."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from registry.config.embeddings import ASKED
from registry.errors import RegistryError

DEPTHS = (1, 5, 10)
DECIMALS = 3
ALL = "all"
"""The measures over all questions, among those by category."""


def read_questions(files: Sequence[Path]) -> pl.DataFrame | None:
    """Return the questions in some Parquet or CSV files, with the columns that `evaluate` needs; None without files.

    Raises RegistryError for a file that lacks one, and for a question that cannot be measured.
    """
    tables = []
    for file in files:
        read = pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file, infer_schema=False)
        if missing := [name for name in ASKED if name not in read.columns]:
            hint = f"questions have the columns {', '.join(ASKED)}"
            raise RegistryError(f"no column {missing[0]}", where=file, hint=hint)
        for number, row in enumerate(read.select(ASKED).iter_rows(), start=1):
            if wrong := _wrong(*row):
                raise RegistryError(f"question {number:,}: {wrong}", where=file, hint="put it right, or take it out")
        tables.append(read.select(ASKED))
    if tables and not sum(map(len, tables)):
        raise RegistryError("there are no questions", where=files[0], hint="add some, or take params.questions out")
    return pl.concat(tables) if tables else None


def _wrong(question: object, concepts: object, category: object) -> str | None:
    """Return what is wrong with a question, if something is."""
    if not isinstance(question, str) or not isinstance(category, str) or not isinstance(concepts, str):
        return f"{', '.join(ASKED)} are to be texts"
    if category == ALL:
        return f"its category is {ALL}, which means all of them"
    try:
        found = json.loads(concepts)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not found or not all(isinstance(one, str) and one for one in found):
        return f"key_concepts is no JSON list of texts: {concepts[:80]}"
    return None


def similarities(questions: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the cosine of each question with each chunk, float32 [questions, chunks]; both are unit vectors, too.

    They are rounded, so that the last bits of a processor's arithmetic do not decide which is nearer.
    """
    return (questions @ vectors.T).round(5)


def ranking(similarity: np.ndarray) -> np.ndarray:
    """Return for each question the chunks from the nearest to the farthest, int64 [questions, chunks].

    `similarity` is as `similarities` returns it; of equals the first chunk comes first.
    """
    return np.argsort(-similarity, axis=1, kind="stable")


def evaluate(questions: pl.DataFrame, contents: Sequence[str], ranked: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the measures of retrieval over all questions (`all`) and by category.

    coverage_at_k  share of a question's key concepts that its first k chunks hold, whatever their case; mean
    mrr            reciprocal rank of the first chunk that holds any of them (0 if none does); mean (Voorhees 1999,
                   https://trec.nist.gov/pubs/trec8/papers/qa_report.pdf)

    `questions` has the columns key_concepts (a JSON list of texts) and category; `ranked` is as `ranking` returns it.
    """
    folded = [content.casefold() for content in contents]
    rows = []
    for concepts, category, order in zip(questions["key_concepts"], questions["category"], ranked, strict=True):
        wanted = [concept.casefold() for concept in json.loads(concepts)]
        holds = np.array([[concept in folded[index] for concept in wanted] for index in order])
        any_at = np.flatnonzero(holds.any(axis=1))
        rows.append(
            {"category": category}
            | {f"coverage_at_{depth}": holds[:depth].any(axis=0).mean() for depth in DEPTHS}
            | {"mrr": 1 / (any_at[0] + 1) if any_at.size else 0.0}
        )
    table = pl.DataFrame(rows)
    return {ALL: _means(table)} | {
        name: _means(group) for (name,), group in sorted(table.group_by("category"), key=lambda item: item[0])
    }


def _means(table: pl.DataFrame) -> dict[str, float]:
    means: Mapping[str, float] = table.drop("category").mean().row(0, named=True)
    return {"questions": table.height} | {name: round(value, DECIMALS) for name, value in means.items()}
