"""The one error that a user is meant to read."""

import re

CREDENTIALS = re.compile(r"(?<=://)[^@/\s]+(?=@)")
"""What an address may hold before its host."""


class RegistryError(Exception):
    """A failure that the user can fix: what is wrong, where, and what to do about it.

    Credentials in addresses are not shown.
    """

    def __init__(self, what: str, *, where: object = None, hint: str | None = None) -> None:
        lines = [what if where is None else f"{where}: {what}"]
        if hint:
            lines.append(f"  what to do: {hint}")
        super().__init__(CREDENTIALS.sub("***", "\n".join(lines)))
