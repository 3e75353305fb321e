"""The table of chunks and their vectors."""

import numpy as np
import pyarrow as pa

from registry.embedding.model import Model

FILE = "embeddings.parquet"
MODEL = b"registry.model"
"""Key of the schema's metadata that holds the identity of the model."""


def vectors_of(table: pa.Table) -> np.ndarray:
    """Return the column `embedding` as float32 [rows, dimension]."""
    column = table["embedding"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), column.type.list_size)


def with_vectors(chunks: pa.Table, vectors: np.ndarray, model: Model) -> pa.Table:
    """Return chunks with their vectors as the column after `content`, and the model in the schema's metadata."""
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    return chunks.add_column(2, "embedding", column).replace_schema_metadata({MODEL: model.identity})
