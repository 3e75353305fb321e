"""Messages that cannot be taken, and the one reason of a few under which each is counted."""

UNDECODABLE, INVALID, TOO_LARGE, LOST, BEFORE = "undecodable", "invalid", "too_large", "lost", "before"
"""Why a batch lacks a message: what it says as `left_out`.

The broker had those that are `lost` no longer when they were asked for, and those `before` at the first time already.
"""
LONGEST = 300
"""Characters of what is wrong that are kept: it may quote the message."""


class PoisonError(Exception):
    """A message that cannot be taken: under which reason it is counted, and what exactly is wrong with it."""

    def __init__(self, reason: str, detail: object) -> None:
        self.reason = reason
        self.detail = str(detail).partition("\n")[0][:LONGEST]
        super().__init__(self.detail)
