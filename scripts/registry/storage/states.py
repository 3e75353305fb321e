"""The states of a dataset, and the outcomes of a release: one word for each, used everywhere."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from registry.shown import joined


class State(StrEnum):
    """A dataset in a checkout.

    The first seven are asked in this order, and each rules out those after it; the next five compare with the releases;
    the last say what became of it when it was to be released.
    """

    BROKEN = "broken"
    """Its configuration cannot be used. It is left out, unless it is pinned, which needs none."""
    NOT_BUILT = "not built"
    """Nothing of it is here."""
    INCOMPLETE = "incomplete"
    """A part of what a build makes is missing."""
    DAMAGED = "damaged"
    """It is not, byte for byte, what was built."""
    PINNED = "pinned"
    """It was rolled back, and is taken as it is."""
    OUTDATED = "outdated"
    """Configuration, code or sources have changed since it was built."""
    BUILT = "built"
    """It is what this checkout makes."""

    BEHIND = "behind"
    """A newer version is released, and this checkout does not contain it."""
    UNRELEASED = "unreleased"
    """It has no release that can be read."""
    CHANGED = "changed"
    """It differs from its newest release."""
    RELEASED = "released"
    """It is its newest release; as an outcome, it became one."""

    RETIRED = "retired"
    """It has releases, and this checkout makes no more of them: nothing of it is here."""

    RECORDED = "recorded"
    """How it came to be was committed, without a new version."""
    UNCHANGED = "unchanged"
    """It was released as it is already."""
    SKIPPED = "skipped"
    """It is not made of what is committed, or lies where nothing of it can be."""
    REFUSED = "refused"
    """It must not be released."""


class NotReady(Exception):  # noqa: N818  it is a state, not a failure
    """A dataset cannot be used, or released, as it is: its state, why, in one line, and what to do.

    `against` is the tag of the version that it was held against, where that is why, and `alike` are rows that are like
    others there, as run.schema.yaml has them.
    """

    def __init__(
        self,
        state: State,
        reason: str,
        hint: str | None = None,
        against: str | None = None,
        alike: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.state = state
        self.reason = joined(reason)
        super().__init__(self.reason)
        self.hint = hint
        self.against = against
        self.alike = [*alike]
