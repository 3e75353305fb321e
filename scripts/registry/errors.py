"""The one error that a user is meant to read."""

from registry.shown import one_line, redacted, shown


class RegistryError(Exception):
    """A failure that the user can fix: what is wrong, where, and what to do about it.

    Credentials in addresses are not shown, nor what would steer a terminal. `reason` says what and where, `hint` what
    to do.
    """

    def __init__(self, what: str, *, where: object = None, hint: str | None = None) -> None:
        self.what = redacted(what)
        self.reason = shown(what if where is None else f"{one_line(where)}: {what}")
        self.hint = hint and shown(hint)
        super().__init__(f"{self.reason}\n  what to do: {self.hint}" if hint else self.reason)
