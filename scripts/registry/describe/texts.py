"""Statistics of texts."""

import numpy as np
import polars as pl
import pyarrow as pa

from registry.describe.statistics import summarise


class TextLengths:
    """The lengths of texts, of which a batch at a time is there. Nulls are left out."""

    def __init__(self) -> None:
        self._chars: list[np.ndarray] = []
        self._words: list[np.ndarray] = []

    def add(self, texts: pa.Array) -> None:
        """Measure more texts."""
        present = pl.Series(texts).drop_nulls()
        self._chars.append(present.str.len_chars().to_numpy())
        self._words.append(present.str.extract_all(r"\S+").list.len().to_numpy())

    def statistics(self) -> dict[str, float]:
        """Return summary statistics: `char_length_...` of Unicode code points, `word_count_...` of what spaces part."""
        chars, words = np.concatenate(self._chars), np.concatenate(self._words)
        return summarise(chars, "char_length_") | summarise(words, "word_count_")
