"""Vectors of the last build, which are taken where text and model are the same, and what is left to compute."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from registry.embedding.model import Model
from registry.embedding.table import KEY, MODEL, embedded_texts, keys_of, vectors_of

SPOT_CHECKS = 8
"""So many of the vectors that are taken over are computed again; if one differs, all are."""


class Work(NamedTuple):
    """What is known of chunks, and what is to be computed.

    `keys` has the key of each chunk's text, `texts` the texts by key, `known` the vectors of the last build by key,
    `checked` the keys of those that are computed again, and `unknown` the keys of all that is computed, `checked`
    first.
    """

    keys: list[str]
    texts: dict[str, str]
    known: dict[str, np.ndarray]
    checked: list[str]
    unknown: list[str]


def vectors_by_key(table: pa.Table) -> dict[str, np.ndarray]:
    """Return the vectors of a table that has their keys."""
    return dict(zip(table[KEY].to_pylist(), vectors_of(table), strict=True))


def known_vectors(path: Path, model: Model) -> dict[str, np.ndarray]:
    """Return the vectors of the last build, as `keep_vectors` has written them; none if another model made them."""
    table = pq.read_table(path)
    if table.schema.metadata.get(MODEL) != model.identity.encode():
        return {}
    return vectors_by_key(table)


def work_on(chunks: pa.Table, last: Path, model: Model) -> Work:
    """Return what there is to do for chunks; `last` has the vectors of the last build."""
    embedded = embedded_texts(chunks, model.context)
    keys = keys_of(embedded)
    texts = dict(zip(keys, embedded, strict=True))
    known = {key: vector for key, vector in known_vectors(last, model).items() if key in texts}
    checked = [*known][:: max(1, len(known) // SPOT_CHECKS)]
    return Work(keys, texts, known, checked, [*checked, *(key for key in texts if key not in known)])


def read_parts(parts: Sequence[Path]) -> dict[str, np.ndarray]:
    """Return the vectors in the parts that shards have written, by key."""
    return {key: vector for part in parts for key, vector in vectors_by_key(pq.read_table(part)).items()}
