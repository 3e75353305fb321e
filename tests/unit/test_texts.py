"""Statistics of texts."""

import polars as pl

from registry.describe.texts import text_statistics


def test_lengths_count_characters_and_words_and_leave_nulls_out():
    found = text_statistics(pl.Series(["a", "ü  b", None]))
    assert found["char_length_mean"] == 2.5
    assert found["char_length_max"] == 4
    assert found["word_count_min"] == 1
    assert found["word_count_median"] == 1.5
