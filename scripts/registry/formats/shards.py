"""The shares into which the work on a dataset is divided, each for a job of its own, and the parts that these write."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa


class Shard(NamedTuple):
    """Share number `number`, counted from 0, of the `of` shares that make the whole."""

    number: int
    of: int

    def share(self, total: int, step: int = 1) -> range:
        """Return which of `total` things are in this share: neighbours, beginning at a multiple of `step`.

        All shares together have each thing once, in their order. Where there are fewer steps than shares, some are
        empty, but never the last, unless all are.
        """
        steps = -(-total // step)
        start, stop = (min(steps * number // self.of * step, total) for number in (self.number, self.number + 1))
        return range(start, stop)


WHOLE = Shard(0, 1)


def shard_of(wildcards: Any) -> Shard:
    """Return the share of a job, whose wildcard `scatteritem` Snakemake spells 1-of-7 to 7-of-7."""
    number, of = map(int, wildcards.scatteritem.split("-of-"))
    return Shard(number - 1, of)


def write_part(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
    """Write batches as an Arrow stream, in their order."""
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema, options=options) as stream:
        for batch in batches:
            stream.write_batch(batch)


def read_parts(paths: Iterable[Path]) -> Iterator[pa.RecordBatch]:
    """Yield the batches of all parts, as they were written."""
    for path in paths:
        with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
            yield from stream
