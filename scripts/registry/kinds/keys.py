"""What names the rows of a dataset on their way from the job that makes them to the one that describes them."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from registry.formats.tables import arrow_batches

SCHEMA = pa.schema([("split", pa.string()), ("key", pa.string())])
"""The columns of the file: of all rows, in the order in which they were made."""


class Keys:
    """The keys of the rows of a split, taken in the order of its table."""

    def __init__(self, file: Path, split: str) -> None:
        self._keys = self._read(file, split)

    @staticmethod
    def _read(file: Path, split: str) -> Iterator[str]:
        for batch in arrow_batches(file):
            yield from batch.filter(pc.equal(batch["split"], split))["key"].to_pylist()

    def take(self, count: int) -> list[str]:
        """Return the keys of the next rows."""
        return [*islice(self._keys, count)]
