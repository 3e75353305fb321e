"""The table of chunks and their vectors."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from registry.embedding.model import Model
from registry.files import atomic_file, dvc_digest, sealed

FILE = "embeddings.parquet"
MODEL = b"registry.model"
"""Key of the schema's metadata that holds the identity of the model."""


def keep_vectors(folder: Path, kept: Path) -> None:
    """Write the vectors of a build to a file of their own, with content_sha256 and the model.

    There are none where nothing was built in `folder`, or where it was changed by hand since.
    """
    file = folder / FILE
    if file.is_file() and sealed(folder) == dvc_digest(folder):
        table = pq.read_table(file, columns=["content_sha256", "embedding"])
    else:
        table = pa.table({"content_sha256": [], "embedding": []}).replace_schema_metadata({MODEL: ""})
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
