"""The one error that a user is meant to read."""

import re
import unicodedata

CREDENTIALS = re.compile(r"(?<=://)[^@/\s]+(?=@)")
"""What an address may hold before its host."""


class RegistryError(Exception):
    """A failure that the user can fix: what is wrong, where, and what to do about it.

    Credentials in addresses are not shown, nor what would steer a terminal.
    """

    def __init__(self, what: str, *, where: object = None, hint: str | None = None) -> None:
        self.what = what
        lines = [what if where is None else f"{where}: {what}"]
        if hint:
            lines.append(f"  what to do: {hint}")
        super().__init__(printable(CREDENTIALS.sub("***", "\n".join(lines))))


def printable(text: str) -> str:
    """Return text with a replacement for every character that could steer a terminal or cannot be printed."""
    if text.isprintable():
        return text
    return "".join(
        char if char in "\n\t" or not unicodedata.category(char).startswith("C") else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )
