"""Statistics of texts."""

import polars as pl

from registry.describe.statistics import summarise


def text_statistics(texts: pl.Series) -> dict[str, float]:
    """Return summary statistics of the lengths of texts.

    `char_length_...` counts Unicode code points, `word_count_...` what stands between spaces. Nulls are left out.
    """
    texts = texts.drop_nulls()
    words = texts.str.extract_all(r"\S+").list.len()
    return summarise(texts.str.len_chars().to_numpy(), "char_length_") | summarise(words.to_numpy(), "word_count_")
