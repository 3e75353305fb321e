"""Tell which texts of a column are unfit for readers and models, as `registry.formats.texts` tells of one."""

import polars as pl

from registry.formats.texts import CONTROLS, is_blank

SHOWN = "[!-~]"
"""Characters of ASCII that show: nearly every text has one."""


def blank(texts: pl.Series) -> pl.Series:
    """Return whether nothing of a text shows; it is false of a null."""
    # Under another name, since polars takes one such as `^...$` for a pattern.
    texts = texts.alias("texts")
    found = ~texts.str.contains(SHOWN).fill_null(True)
    doubtful = found.arg_true()
    return found.scatter(doubtful, [is_blank(text) for text in texts.gather(doubtful).to_list()])


def with_controls(texts: pl.Series) -> pl.Series:
    """Return whether a text holds control characters; it is false of a null."""
    # Under another name, since polars takes one such as `^...$` for a pattern.
    return texts.alias("texts").str.contains(CONTROLS.pattern).fill_null(False)
