"""Statistics of texts."""

import pyarrow as pa
import pytest

from registry.describe.texts import TextLengths


@pytest.mark.parametrize("rows", [1, 3])
def test_lengths_count_characters_and_words_and_leave_nulls_out(rows):
    texts, lengths = pa.array(["a", "ü  b", None]), TextLengths()
    for start in range(0, len(texts), rows):
        lengths.add(texts.slice(start, rows))
    found = lengths.statistics()
    assert found["char_length_mean"] == 2.5
    assert found["char_length_max"] == 4
    assert found["word_count_min"] == 1
    assert found["word_count_median"] == 1.5
