"""The one error that a user is meant to read."""

from collections.abc import Sequence
from typing import Any

from registry.shown import one_line, redacted, shown


class RegistryError(Exception):
    """A failure that the user can fix: what is wrong, where, and what to do about it.

    Credentials in addresses are not shown, nor what would steer a terminal. `reason` says what and where, `hint` what
    to do. `public` is what pages for others say: the same as `what`, unless that names addresses or paths from here.
    """

    def __init__(self, what: str, *, where: object = None, hint: str | None = None, public: str | None = None) -> None:
        self.what = redacted(what)
        self.public = redacted(public or what)
        self.reason = shown(what if where is None else f"{one_line(where)}: {what}")
        self.hint = hint and shown(hint)
        super().__init__(f"{self.reason}\n  what to do: {self.hint}" if hint else self.reason)


class ContractError(RegistryError):
    """A dataset breaks its contract: `breaches` says to programs what the message says to people.

    Each has `rule`, `split`, `column` (or what else it is about: columns, rows, splits, inputs, floors), `row` (the
    first, from 0 within the split; None where it is about no single row), `message`, and `cases`: rows that show it.
    `state` is what would have been written of the dataset, if that is known: its metadata and its provenance.
    """

    def __init__(self, what: str, *, where: object, hint: str, breaches: Sequence[dict[str, Any]]) -> None:
        super().__init__(what, where=where, hint=hint)
        self.breaches = list(breaches)
        self.state: dict[str, Any] = {}
