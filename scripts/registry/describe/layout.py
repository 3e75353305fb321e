"""What a manifest's file holds, for those who write it and those who read it: its columns, and its content hash."""

import hashlib
import json
from collections.abc import Mapping, Sequence

import pyarrow as pa

ID_BYTES = 16
SCHEMA = pa.schema(
    [
        ("sample_id", pa.binary(ID_BYTES)),
        ("input_id", pa.binary(ID_BYTES)),
        ("key", pa.string()),
        ("split", pa.string()),
    ]
)


class ContentHash:
    """The hash over a schema, [{"name", "type"}], and the ordered sample ids, split by split.

    As text it is `sha256:<hex>`.
    """

    def __init__(self, schema: Sequence[Mapping[str, str]]) -> None:
        self._hash = hashlib.sha256(json.dumps(schema).encode())

    def begin(self, split: str) -> None:
        """Begin a split."""
        self._hash.update(f"\0{split}\0".encode())

    def add(self, sample_ids: bytes | memoryview) -> None:
        """Go on with these ids, the bytes of one after the other."""
        self._hash.update(sample_ids)

    def __str__(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"
