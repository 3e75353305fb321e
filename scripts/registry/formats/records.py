"""Check the records of a CSV file (RFC 4180): a fast reader guesses at those that are wrong."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from registry.errors import RegistryError
from registry.formats.blocks import BLOCK, Block, blocks
from registry.formats.shards import WHOLE, Shard

QUOTES = 'quote a field as a whole, and write a quote in it twice (""): not as \\", and not in a field without quotes'
LONGEST = 4 * BLOCK
"""Characters of a block that is looked at all at once: one with more is the end of a file with a stray quote."""
LINE_FEED, RETURN, QUOTE = b'\n\r"'


def records(path: Path, *, separator: str, encoding: str, shard: Shard = WHOLE) -> Iterator[tuple[int, str, int]]:
    """Yield (number of its first line, text, number of fields) of each record of a CSV file, the header among them.

    With a `shard`, only of those that begin in this share of the file's bytes. Raises RegistryError for what `blocks`
    and `records_in` refuse.
    """
    for block in blocks(path, encoding, shard):
        yield from records_in(block, separator=separator, path=path)


def records_in(block: Block, *, separator: str, path: Path) -> Iterator[tuple[int, str, int]]:
    """Yield (number of its first line, text, number of fields) of each record of a block of this file.

    Raises RegistryError, which names the line, for quotes that do not match or do not enclose a whole field, a blank
    line, a NUL character, and a line break that is not a line feed (with or without a carriage return before it).
    """
    field = rf'(?:"[^"]*+(?:""[^"]*+)*+"|[^"\r{re.escape(separator)}]*+)'
    record = re.compile(rf"{field}(?:{re.escape(separator)}{field})*+")
    for line, text in _numbered(block, path):
        unquoted = "".join(text.split('"')[::2]) if '"' in text else text
        if not text:
            raise RegistryError(f"line {line:,} is blank", where=path, hint="take it out; a missing value is a field")
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


def _numbered(block: Block, path: Path) -> Iterator[tuple[int, str]]:
    """Yield each record of a block without its line break, and the number of the line that it begins in."""
    line, text = block
    start = end = quotes = 0
    while end < len(text):
        begin, end = end, text.find("\n", end) + 1 or len(text)
        quotes += text.count('"', begin, end)
        if quotes % 2 == 0:
            record = text[start:end]
            yield line, record.removesuffix("\n").removesuffix("\r")
            line, start = line + record.count("\n"), end
    if start < end:
        raise RegistryError(f"line {line:,}: a quote is opened and never closed", where=path, hint=QUOTES)


def sound_records(block: Block, *, separator: str, width: int) -> tuple[bytes, int] | None:
    """Return a block as UTF-8 with a line feed at the end of each record, and how many there are; None if in doubt.

    All at once it sees that `records_in` would refuse none, and find `width` fields in each; not what is wrong.
    """
    if len(block.text) > LONGEST or "\0" in block.text or not separator.isascii() or separator in '\r\n"':
        return None
    data = np.frombuffer(block.encoded(), np.uint8)
    quotes = np.flatnonzero(data == QUOTE)
    if len(quotes) % 2:
        return None
    if "\r" in block.text:
        returns = _outside(quotes, np.flatnonzero(data == RETURN))
        if (data[returns + 1] != LINE_FEED).any():
            return None
        data = np.delete(data, returns)
        quotes = np.flatnonzero(data == QUOTE)
    beside = np.zeros(256, bool)
    beside[[LINE_FEED, QUOTE, ord(separator)]] = True
    # The first byte of all has the line feed at the end before it.
    if not (beside[data[quotes[::2] - 1]].all() and beside[data[quotes[1::2] + 1]].all()):
        return None
    ends = _outside(quotes, np.flatnonzero(data == LINE_FEED))
    parts = _outside(quotes, np.flatnonzero(data == ord(separator)))
    if not len(data) or (np.diff(ends, prepend=-1) == 1).any() or len(parts) != len(ends) * (width - 1):
        return None
    of_each = parts.reshape(len(ends), width - 1)
    if width > 1 and not ((of_each[:, -1] < ends).all() and (of_each[1:, 0] > ends[:-1]).all()):
        return None
    return data.tobytes(), len(ends)


def record_ends(data: np.ndarray) -> np.ndarray:
    """Return the places of the line feeds that end records, in a text as UTF-8."""
    return _outside(np.flatnonzero(data == QUOTE), np.flatnonzero(data == LINE_FEED))


def _outside(quotes: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return those of some places in a text that are in no quotes; all are sorted."""
    return places[np.searchsorted(quotes, places) % 2 == 0] if len(quotes) else places


def fields(text: str, *, separator: str, where: Path) -> list[str]:
    """Return the fields of one record; RegistryError if one is too long to be a header's."""
    try:
        return next(csv.reader([text], delimiter=separator, strict=True), [])
    except csv.Error as error:
        raise RegistryError(f"its header cannot be read: {error}", where=where) from None
