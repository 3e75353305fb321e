"""Rows that wait on disk in buckets, so that more than fits into memory can be grouped and sorted, bucket by bucket."""

from pathlib import Path

import polars as pl
import pyarrow as pa


class Spill:
    """Buckets of rows in a folder, each a file of Arrow streams, one behind the other.

    `bucket` names an integer column of the rows, which says where each one goes, and is not kept.
    """

    def __init__(self, folder: Path, bucket: str) -> None:
        folder.mkdir()
        self._folder, self._bucket = folder, bucket

    def add(self, rows: pl.DataFrame) -> None:
        """Put rows, all of which have the same columns as others before, into their buckets."""
        for (number,), some in rows.partition_by(self._bucket, as_dict=True, include_key=False).items():
            with (self._folder / str(number)).open("ab") as stream:
                some.write_ipc_stream(stream)

    def buckets(self) -> list[int]:
        """Return the numbers of the buckets that have rows, in order."""
        return sorted(int(path.name) for path in self._folder.iterdir())

    def read(self, bucket: int) -> pl.DataFrame:
        """Return all rows of a bucket that has some, in the order in which they were added, and forget them."""
        path, found = self._folder / str(bucket), []
        with pa.OSFile(str(path)) as file:
            while file.tell() < file.size():
                found.append(pl.from_arrow(pa.ipc.open_stream(file).read_all()))
        path.unlink()
        return pl.concat(found)
