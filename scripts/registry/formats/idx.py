"""Read IDX, the format of MNIST and its siblings (http://yann.lecun.com/exdb/mnist/), gzipped, in batches."""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from registry.errors import RegistryError

UNSIGNED_BYTE = 0x08
CHUNK = 2**20
"""Bytes to ask for at once, so that a header that lies costs no memory."""
REFETCH = "delete the file and run the same command again; if that does not help, its source is broken"


class Idx:
    """An open IDX file of unsigned bytes; `shape` comes from its header, the number of items first."""

    def __init__(self, path: Path, stream: BinaryIO, dimensions: int) -> None:
        self._path, self._stream = path, stream
        header = self._read(4)
        magic = bytes([0, 0, UNSIGNED_BYTE, dimensions])
        if header != magic:
            raise RegistryError(f"expected the IDX magic number 0x{magic.hex()}, found 0x{header.hex()}", where=path)
        self.shape: tuple[int, ...] = struct.unpack(f">{dimensions}I", self._read(4 * dimensions))
        if 0 in self.shape:
            raise RegistryError(f"the header declares no data: shape {self.shape}", where=path)

    def _read(self, size: int) -> bytearray:
        data = bytearray()
        while len(data) < size and (chunk := self._read_some(min(size - len(data), CHUNK))):
            data += chunk
        if len(data) < size:
            raise RegistryError(
                f"truncated: wanted {size:,} more bytes, found {len(data):,}", where=self._path, hint=REFETCH
            )
        return data

    def _pass(self, size: int) -> None:
        while size and (chunk := self._read_some(min(size, CHUNK))):
            size -= len(chunk)

    def _read_some(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except (gzip.BadGzipFile, zlib.error) as error:
            raise RegistryError(f"not a sound gzip file: {error}", where=self._path, hint=REFETCH) from None
        except EOFError:
            raise RegistryError("truncated: the gzip stream breaks off", where=self._path, hint=REFETCH) from None

    def batches(self, items: int, share: range | None = None) -> Iterator[np.ndarray]:
        """Yield all items, or those in `share`, as uint8 arrays (at most `items`, *shape[1:]).

        RegistryError if the file ends before them, or goes on after the last item of all.
        """
        count, *item_shape = self.shape
        share = range(count) if share is None else share
        self._pass(share.start * math.prod(item_shape))
        for start in range(share.start, share.stop, items):
            rows = min(items, share.stop - start)
            data = self._read(rows * math.prod(item_shape))
            yield np.frombuffer(data, dtype=np.uint8).reshape(rows, *item_shape)
        if share.stop == count and self._read_some(1):
            raise RegistryError(f"data goes on after the {count:,} items that the header declares", where=self._path)


@contextmanager
def open_idx(path: str | Path, dimensions: int) -> Iterator[Idx]:
    """Open a gzipped IDX file of unsigned bytes with this many dimensions; RegistryError if it is not one."""
    path = Path(path)
    with gzip.open(path, "rb") as stream:
        yield Idx(path, stream, dimensions)
