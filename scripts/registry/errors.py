"""The one error that a user is meant to read."""

import re

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What steers a terminal, or turns text around, and stands in no honest name."""
CREDENTIALS = re.compile(r"(?<=://)[^@/\s]+(?=@)")
"""What an address may hold before its host."""


class RegistryError(Exception):
    """A failure that the user can fix: what is wrong, where, and what to do about it.

    Credentials in addresses are not shown, and what would steer a terminal is spelt out.
    """

    def __init__(self, what: str, *, where: object = None, hint: str | None = None) -> None:
        self.what = what
        lines = [what if where is None else f"{where}: {what}"]
        if hint:
            lines.append(f"  what to do: {hint}")
        super().__init__(plain(CREDENTIALS.sub("***", "\n".join(lines))))


def plain(text: str) -> str:
    """Return a text in which characters that would steer a terminal are spelt out, as in a Python string."""
    return CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)
