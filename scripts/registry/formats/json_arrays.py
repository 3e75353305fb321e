"""Read a JSON file that is one array of objects as if each stood on a line of its own, with few of them in memory."""

import json
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from typing import TextIO

from registry.errors import RegistryError

CHUNK = 1 << 20
"""Characters that are read at once."""
LONGEST = 8 << 20
"""Characters that an object may have."""
_SPACE = " \t\r\n"


def is_array(path: Path) -> bool:
    """Tell whether the first character of a file that shows begins a JSON array."""
    with path.open("rb") as file:
        return file.read(CHUNK).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")


def objects(path: Path) -> Iterator[str]:
    """Yield the text of each object of a JSON array, as it stands there but for ends of lines.

    Raises RegistryError for what is no array of objects, and for an object of more than LONGEST characters.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from _objects(_Text(file), path)
    except UnicodeDecodeError:
        raise RegistryError("not UTF-8", where=path.name) from None


class _Text:
    """What is left of a file."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._text, self._place = file, "", 0
        self._decoder = json.JSONDecoder()

    def more(self) -> bool:
        """Read on, and tell whether there was something left."""
        found = self._file.read(CHUNK)
        self._text, self._place = self._text[self._place :] + found, 0
        return bool(found)

    def take(self) -> str:
        """Take the next character that is no space; it is empty at the end."""
        while True:
            while self._place < len(self._text):
                self._place += 1
                if (character := self._text[self._place - 1]) not in _SPACE:
                    return character
            if not self.more():
                return ""

    def take_object(self) -> str:
        """Take the object whose first character was the last that was taken. ValueError where there is none."""
        self._place -= 1
        while True:
            try:
                _, end = self._decoder.raw_decode(self._text, self._place)
            except ValueError:
                if len(self._text) - self._place > LONGEST or not self.more():
                    raise
            else:
                taken, self._place = self._text[self._place : end], end
                return taken.replace("\r", " ").replace("\n", " ")


def _objects(text: _Text, path: Path) -> Iterator[str]:
    number = 0
    opened, following = text.take(), ""
    while opened == "[" and (character := text.take()):
        if character == "]" and not following:
            break
        if character != "{":
            raise RegistryError(f"element {number:,} of its array is no object", where=path.name)
        try:
            yield text.take_object()
        except (ValueError, RecursionError) as error:
            raise RegistryError(f"element {number:,} of its array is not sound: {error}", where=path.name) from None
        number += 1
        following = text.take()
        if following == "]":
            break
        if following != ",":
            raise RegistryError(f"no comma after element {number - 1:,} of its array", where=path.name)
    else:
        raise RegistryError("the array does not end" if opened == "[" else "not an array of objects", where=path.name)
    if text.take():
        raise RegistryError("something stands after its array", where=path.name)


class Lines(RawIOBase):
    """The objects of a JSON array as a binary file with one on each line."""

    def __init__(self, path: Path) -> None:
        self._objects, self._rest = objects(path), b""

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return so many more bytes, or all that are left; fewer at the end."""
        parts, found = [self._rest], len(self._rest)
        while size < 0 or found < size:
            if (line := next(self._objects, None)) is None:
                break
            parts.append(f"{line}\n".encode())
            found += len(parts[-1])
        whole = b"".join(parts)
        taken = len(whole) if size < 0 else size
        self._rest = whole[taken:]
        return whole[:taken]
