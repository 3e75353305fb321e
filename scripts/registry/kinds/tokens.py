"""Count the tokens of texts, as a model's tokenizer parts them."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
from tokenizers import Tokenizer

from registry.errors import RegistryError

TEXTS = 1000
"""Texts whose tokens are in memory at once."""


def token_counter(path: Path) -> Callable[[pl.Series], pl.Series]:
    """Return what counts the tokens of each text, by a tokenizer.json of Hugging Face's tokenizers; a null has none.

    No special tokens, such as those that begin a text, are among them. Raises RegistryError if the file is none.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # its reader raises nothing more special
        raise RegistryError(f"not a tokenizer: {str(error).partition(chr(10))[0]}", where=path.name) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count(texts: pl.Series) -> pl.Series:
        numbers: list[int] = []
        for start in range(0, len(texts), TEXTS):
            some = texts[start : start + TEXTS].fill_null("").to_list()
            numbers += [len(one.ids) for one in tokenizer.encode_batch_fast(some, add_special_tokens=False)]
        return pl.Series(numbers, dtype=pl.Int64)

    return count
