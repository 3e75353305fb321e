"""Read a CSV file in blocks of whole records: a line break in quotes ends none."""

import codecs
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from registry.errors import RegistryError
from registry.formats.shards import WHOLE, Shard
from registry.formats.texts import wide_encoding

BLOCK = 1 << 22
"""Bytes of a file that are read at once."""


class Block(NamedTuple):
    """Some records, each with its line break, and the number of the line that the first of them begins in."""

    line: int
    text: str

    def parted(self) -> "tuple[Block, Block]":
        """Return the first record, and the others."""
        quotes = end = 0
        while at := self.text.find("\n", end) + 1:
            quotes += self.text.count('"', end, at)
            end = at
            if quotes % 2 == 0:
                break
        else:
            end = len(self.text)
        first = self.text[:end]
        return Block(self.line, first), Block(self.line + first.count("\n"), self.text[end:])

    def encoded(self) -> bytes:
        """Return the records as UTF-8, each with a line feed at its end."""
        return (self.text if self.text[-1:] in ("\n", "") else f"{self.text}\n").encode()


def canonical_encoding(name: str) -> str:
    """Return the name by which Python calls an encoding; RegistryError if it has none of this name."""
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        raise RegistryError(f"there is no encoding {name!r}", hint="name one of Python's, such as cp1252") from None


def blocks(path: Path, encoding: str, shard: Shard = WHOLE) -> Iterator[Block]:
    """Yield the records of a file; only the last block may end without a line break, or in quotes.

    With a `shard`, only the records that begin in this share of the file's bytes. Raises RegistryError for text that is
    not in this encoding, and for a share of a file in which line feeds and quotes are not the bytes that they are in
    ASCII, such as UTF-16.
    """
    if shard != WHOLE and (encoding.startswith("iso2022") or '\n"'.encode(encoding) != b'\n"'):
        raise RegistryError(f"cannot be read in shares, as {encoding.upper()}", where=path, hint="save it as UTF-8")
    with path.open("rb") as stream, _explained(path, encoding):
        size = os.fstat(stream.fileno()).st_size
        share = shard.share(size)
        line = _move_to_record(stream, share.start, 1)
        start, stop = stream.tell(), size
        if share.stop < size:
            _move_to_record(stream, share.stop, line)
            stop = stream.tell()
            stream.seek(start)
        marked = (encoding, start) == ("utf-8", 0)
        decoder = codecs.getincrementaldecoder("utf-8-sig" if marked else encoding)()
        waiting: list[str] = []
        quotes = 0
        while data := stream.read(min(BLOCK, stop - stream.tell())):
            is_last = stream.tell() == stop
            text = decoder.decode(data, is_last)
            if end := len(text) if is_last else _end_of_records(text, quotes):
                block = Block(line, "".join([*waiting, text[:end]]))
                waiting, quotes, text = [], 0, text[end:]
                yield block
                line += block.text.count("\n")
            waiting.append(text)
            quotes += text.count('"')
        if rest := "".join(waiting):
            yield Block(line, rest)


def _end_of_records(text: str, quotes: int) -> int:
    """Return where the last record ends that ends in a text with so many quotes before it; 0 if none does."""
    quotes, end = quotes + text.count('"'), len(text)
    while (at := text.rfind("\n", 0, end)) >= 0:
        quotes -= text.count('"', at, end)
        if quotes % 2 == 0:
            return at + 1
        end = at
    return 0


def _move_to_record(stream: BinaryIO, at: int, line: int) -> int:
    """Move from a record, which begins in line `line`, on to the first that begins at byte `at` or later.

    Returns the number of the line that this one begins in.
    """
    if stream.tell() >= at:
        return line
    quotes = 0
    while block := stream.read(min(BLOCK, at - 1 - stream.tell())):
        line, quotes = line + block.count(b"\n"), quotes + block.count(b'"')
    while rest := stream.readline():
        line, quotes = line + 1, quotes + rest.count(b'"')
        if quotes % 2 == 0:
            break
    return line


@contextmanager
def _explained(path: Path, encoding: str) -> Iterator[None]:
    """Raise RegistryError where the block meets text that is not in this encoding."""
    try:
        yield
    except UnicodeError as error:
        raise _not_text(path, encoding, error) from None


def _not_text(path: Path, encoding: str, error: UnicodeError) -> RegistryError:
    data = path.read_bytes()
    words = encoding.upper()
    if encoding == "utf-8" and (name := wide_encoding(data)):
        return RegistryError(
            f"not {words}: it begins with the byte order mark of {name}",
            where=path,
            hint=f'save it as UTF-8, or read it with encoding="{name.lower()}"',
        )
    try:
        data.decode(encoding)
    except UnicodeDecodeError as found:
        line = data[: found.start].decode(encoding, errors="replace").count("\n") + 1
        return RegistryError(f"not {words}: {found.reason} in line {line:,}, at byte {found.start:,}", where=path)
    return RegistryError(f"not {words}: {error}", where=path)
