"""The table of chunks and their vectors."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from registry.config.embeddings import TABLE
from registry.embedding.model import Model
from registry.files import atomic_file, dvc_digest, sealed

MODEL = b"registry.model"
"""Key of the schema's metadata that holds the identity of the model."""
KEY = "text_sha256"
"""The column that tells vectors apart in files on the way to the table: the hex SHA-256 of what was embedded."""
BETWEEN, BEFORE_TEXT = " > ", "\n\n"
"""What stands between the parts of a context, and after it."""


def embedded_texts(chunks: pa.Table | pa.RecordBatch, context: Sequence[str]) -> list[str]:
    """Return what is embedded of chunks: each text, after the values that it has in the columns of the context."""
    texts = chunks["content"].to_pylist()
    if not context:
        return texts
    rows = zip(*(chunks[name].to_pylist() for name in context), strict=True)
    befores = [BETWEEN.join(str(value) for value in row if value is not None) for row in rows]
    return [f"{before}{BEFORE_TEXT}{text}" if before else text for before, text in zip(befores, texts, strict=True)]


def keys_of(texts: Sequence[str]) -> list[str]:
    """Return the keys of texts that are embedded."""
    return [sha256(text.encode()).hexdigest() for text in texts]


def keep_vectors(folder: Path, kept: Path, context: Sequence[str] = ()) -> None:
    """Write the vectors of a build to a file of their own, with the keys of what was embedded, and the model.

    There are none where nothing was built in `folder`, where it was changed by hand since, and where it has no such
    context.
    """
    file = folder / TABLE
    if file.is_file() and sealed(folder) == dvc_digest(folder) and {*context} <= {*pq.read_schema(file).names}:
        table = pq.read_table(file, columns=["content", "embedding", *context])
        keys = pa.array(keys_of(embedded_texts(table, context)))
        table = pa.table({KEY: keys, "embedding": table["embedding"]}, metadata=table.schema.metadata)
    else:
        table = pa.table({KEY: [], "embedding": []}, metadata={MODEL: b""})
    with atomic_file(kept) as partial:
        pq.write_table(table, partial)


def vectors_of(table: pa.Table) -> np.ndarray:
    """Return the column `embedding` as float32 [rows, dimension]."""
    column = table["embedding"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), column.type.list_size)


def vector_column(vectors: np.ndarray) -> pa.FixedSizeListArray:
    """Return vectors, float32 [rows, dimension], as a column."""
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])


def with_vectors(chunks: pa.Table, vectors: np.ndarray, model: Model) -> pa.Table:
    """Return chunks with their vectors as the column after `content`, and the model in the schema's metadata."""
    return chunks.add_column(2, "embedding", vector_column(vectors)).replace_schema_metadata({MODEL: model.identity})
