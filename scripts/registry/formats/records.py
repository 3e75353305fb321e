"""Check the records of a CSV file (RFC 4180) one by one: a fast reader guesses at those that are wrong."""

import codecs
import csv
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from registry.errors import RegistryError
from registry.formats.shards import WHOLE, Shard
from registry.formats.texts import wide_encoding

BLOCK = 1 << 20
"""Bytes that are looked at together on the way to a record."""

QUOTES = 'quote a field as a whole, and write a quote in it twice (""): not as \\", and not in a field without quotes'


def canonical_encoding(name: str) -> str:
    """Return the name by which Python calls an encoding; RegistryError if it has none of this name."""
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        raise RegistryError(f"there is no encoding {name!r}", hint="name one of Python's, such as cp1252") from None


@contextmanager
def explained(path: Path, encoding: str) -> Iterator[None]:
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


def _numbered(path: Path, encoding: str, shard: Shard) -> Iterator[tuple[int, str]]:
    """Yield each record of a share of the file without its line break, and the number of the line that it begins in.

    A record is in the share in which its first byte is.
    """
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        share = shard.share(size)
        begin = _move_to_record(stream, share.start, 1)
        at = stream.tell()
        stop = _move_to_record(stream, share.stop, begin) if share.stop < size else None
        stream.seek(at)
        text = io.TextIOWrapper(stream, "utf-8-sig" if (encoding, at) == ("utf-8", 0) else encoding, newline="\n")
        start, lines, quotes = begin, [], 0
        for number, line in enumerate(text, start=begin):
            if start == stop:
                break
            lines.append(line)
            quotes += line.count('"')
            if quotes % 2 == 0:
                yield start, "".join(lines).removesuffix("\n").removesuffix("\r")
                start, lines, quotes = number + 1, [], 0
    if lines:
        raise RegistryError(f"line {start:,}: a quote is opened and never closed", where=path, hint=QUOTES)


def records(path: Path, *, separator: str, encoding: str, shard: Shard = WHOLE) -> Iterator[tuple[int, str, int]]:
    """Yield (number of its first line, text, number of fields) of each record of a CSV file, the header among them.

    With a `shard`, only of those that begin in this share of the file's bytes. Raises RegistryError, which names the
    line, for quotes that do not match or do not enclose a whole field, a blank line, a NUL character, a line break that
    is not a line feed (with or without a carriage return before it), text that is not in this encoding, and a share of
    a file in which line feeds and quotes are not the bytes that they are in ASCII, such as UTF-16.
    """
    if shard != WHOLE and (encoding.startswith("iso2022") or '\n"'.encode(encoding) != b'\n"'):
        raise RegistryError(f"cannot be read in shares, as {encoding.upper()}", where=path, hint="save it as UTF-8")
    field = rf'(?:"[^"]*+(?:""[^"]*+)*+"|[^"\r{re.escape(separator)}]*+)'
    record = re.compile(rf"{field}(?:{re.escape(separator)}{field})*+")
    with explained(path, encoding):
        for line, text in _numbered(path, encoding, shard):
            unquoted = "".join(text.split('"')[::2]) if '"' in text else text
            if not text:
                raise RegistryError(
                    f"line {line:,} is blank", where=path, hint="take it out; a missing value is a field"
                )
            if "\0" in text:
                raise RegistryError(f"line {line:,} holds NUL characters: not a text file", where=path)
            if "\r" in unquoted:
                raise RegistryError(f"line {line:,}: a carriage return ends no line and is in no quotes", where=path)
            if unquoted is not text and not record.fullmatch(text):
                raise RegistryError(
                    f"line {line:,}: its quotes do not match",
                    where=path,
                    hint=f"{QUOTES}; is {separator!r} the separator?",
                )
            yield line, text, unquoted.count(separator) + 1


def fields(text: str, *, separator: str, where: Path) -> list[str]:
    """Return the fields of one record; RegistryError if one is too long to be a header's."""
    try:
        return next(csv.reader([text], delimiter=separator, strict=True), [])
    except csv.Error as error:
        raise RegistryError(f"its header cannot be read: {error}", where=where) from None
