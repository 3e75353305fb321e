"""The turns of conversations: who says something in them, and how much."""

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.types as pat

from registry.describe.statistics import summarise

BOUNDS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 50, 100)
"""Numbers of turns up to which conversations are counted together."""


def is_conversation(dtype: pa.DataType) -> bool:
    """Tell whether values of an Arrow type are lists of {role, content}, both texts."""
    if not (pat.is_list(dtype) or pat.is_large_list(dtype)) or not pat.is_struct(dtype.value_type):
        return False
    fields = {field.name: field.type for field in dtype.value_type}
    return fields.keys() == {"role", "content"} and all(map(_is_text, fields.values()))


def _is_text(dtype: pa.DataType) -> bool:
    return pat.is_string(dtype) or pat.is_large_string(dtype) or pat.is_string_view(dtype)


class Turns:
    """All turns of a column of conversations, in their order: `role` and `content` of each.

    A conversation that is null has none.
    """

    def __init__(self, messages: pl.Series) -> None:
        self.lengths = messages.list.len().fill_null(0).cast(pl.Int64)
        self._starts = np.repeat(np.arange(len(messages)), self.lengths.to_numpy())
        turns = messages.filter(self.lengths > 0).explode()
        self.role, self.content = turns.struct.field("role"), turns.struct.field("content")

    def total(self, values: pl.Series) -> pl.Series:
        """Return the sum over the turns of each conversation, given an integer for each turn; a null counts as 0."""
        totals = np.zeros(len(self.lengths), np.int64)
        np.add.at(totals, self._starts, values.fill_null(0).cast(pl.Int64).to_numpy())
        return pl.Series(totals)

    def any(self, found: pl.Series) -> pl.Series:
        """Return whether a conversation has a turn for which this is true, given it for each turn."""
        return self.total(found) > 0

    def joined(self, texts: pl.Series) -> pl.Series:
        """Return the texts of the turns of each conversation, one after the other, given a text for each turn."""
        parts = pl.DataFrame({"row": self._starts, "text": texts}).group_by("row").agg(pl.col("text").str.join())
        rows = pl.DataFrame({"row": np.arange(len(self.lengths))})
        return rows.join(parts, on="row", how="left", maintain_order="left")["text"].fill_null("")


class Conversations:
    """Counts who says something in conversations, of which a batch at a time is there, and how much."""

    def __init__(self) -> None:
        self._roles: Counter[str] = Counter()
        self._turns: list[np.ndarray] = []
        self._chars: list[np.ndarray] = []

    def add(self, messages: pa.Array) -> None:
        """Count more conversations."""
        turns = Turns(pl.Series(messages))
        for role, number in turns.role.value_counts().iter_rows():
            self._roles[str(role)] += number
        self._turns.append(turns.lengths.to_numpy())
        self._chars.append(turns.total(turns.content.str.len_chars()).to_numpy())

    def statistics(self) -> dict[str, float]:
        """Return summary statistics of a conversation: `turns_...`, and `char_length_...` of all that is said in it."""
        return summarise(np.concatenate(self._turns), "turns_") | summarise(np.concatenate(self._chars), "char_length_")

    def distributions(self) -> dict[str, Any]:
        """Return {role: number of turns} and {number of turns, or a range of it: number of conversations}."""
        numbers = np.bincount(np.searchsorted(BOUNDS, np.concatenate(self._turns)), minlength=len(BOUNDS) + 1)
        ranges = zip((-1, *BOUNDS), (*BOUNDS, None), strict=True)
        names = [_range(low + 1, high) for low, high in ranges]
        return {
            "role_distribution": dict(sorted(self._roles.items())),
            "turns_distribution": {name: int(number) for name, number in zip(names, numbers, strict=True) if number},
        }


def _range(low: int, high: int | None) -> str:
    if high is None:
        return f"{low} or more"
    return f"{low}" if low == high else f"{low} to {high}"
