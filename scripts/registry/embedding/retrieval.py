"""How well vectors find what questions are about."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

DEPTHS = (1, 5, 10)
DECIMALS = 3


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
    return {"all": _means(table)} | {
        name: _means(group) for (name,), group in sorted(table.group_by("category"), key=lambda item: item[0])
    }


def _means(table: pl.DataFrame) -> dict[str, float]:
    means: Mapping[str, float] = table.drop("category").mean().row(0, named=True)
    return {"questions": table.height} | {name: round(value, DECIMALS) for name, value in means.items()}
