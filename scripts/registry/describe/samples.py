"""What samples are, as near-duplicates are looked for among them: pictures, texts, or rows of a table.

A column of arrays of bytes, or of files that begin as pictures do, is one of pictures; texts are those of a column and
all that is said in a conversation. Of several columns, and of one of another type, rows are compared.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.types as pat

from registry.describe.logical import is_picture
from registry.describe.measures import is_text
from registry.describe.near import Pairs, Wanted
from registry.describe.near_pictures import Pictures
from registry.describe.near_rows import Rows
from registry.describe.near_texts import Texts
from registry.describe.turns import Turns, is_conversation

PICTURES, TEXTS, ROWS = "pictures", "texts", "rows"
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")
"""With which the files of pictures begin: JPEG, PNG, GIF, BMP, TIFF, WebP."""
COLOURS = (3, 4)
"""Bytes of a pixel that is not grey."""


class Samples:
    """Finds near-duplicates among samples of one `sort`, which the first of them tell unless it is given.

    Pictures are compared on so many threads.
    """

    def __init__(self, first: pa.RecordBatch, digits: int, threads: int = 1, sort: str | None = None) -> None:
        self.sort = sort or _sort_of(first)
        finders = {PICTURES: partial(Pictures, threads), TEXTS: Texts, ROWS: partial(Rows, digits)}
        self._finder = finders[self.sort]()

    def add(self, inputs: pa.RecordBatch) -> None:
        """Add more samples."""
        if self.sort == ROWS:
            self._finder.add(inputs)
        else:
            self._finder.add({PICTURES: _pictures, TEXTS: _texts}[self.sort](inputs.column(0)))

    def pairs(self, rows: np.ndarray, own: int, wanted: Wanted, *, across: bool = False) -> Pairs:
        """Yield pairs of near-duplicates among some rows; one of each pair is among the first `own` of these.

        The other one may be, too, unless it is `across` that they are looked for. `wanted` tells which pairs would add
        to what is known: the others need no look.
        """
        return self._finder.pairs(rows, own, wanted, across=across)


def _sort_of(inputs: pa.RecordBatch) -> str:
    if inputs.num_columns == 1:
        column = inputs.column(0)
        if is_conversation(column.type) or is_text(column.type):
            return TEXTS
        if is_picture(column.type) and len(_shape(column.type)) == 2:
            return PICTURES
        if (pat.is_binary(column.type) or pat.is_large_binary(column.type)) and column.null_count < len(column):
            return PICTURES if column.drop_null()[0].as_py().startswith(SIGNATURES) else ROWS
    return ROWS


def _shape(dtype: pa.DataType) -> tuple[int, ...]:
    """Return height and width of pictures, which are lists of bytes, or of pixels of several."""
    shape = []
    while pat.is_fixed_size_list(dtype):
        shape.append(dtype.list_size)
        dtype = dtype.value_type
    return tuple(shape[:2]) if len(shape) == 2 or (len(shape) == 3 and shape[2] in COLOURS) else tuple(shape)


def _pictures(column: pa.Array) -> Sequence[bytes | np.ndarray | None]:
    if not is_picture(column.type):
        return column.to_pylist()
    there, values = column.is_valid().to_numpy(zero_copy_only=False), column.drop_null()
    while pat.is_fixed_size_list(values.type):
        values = values.flatten()
    pixels = iter(values.fill_null(0).to_numpy(zero_copy_only=False).reshape(there.sum(), *_shape(column.type), -1))
    return [next(pixels) if one else None for one in there]


def _texts(column: pa.Array) -> pl.Series:
    if not is_conversation(column.type):
        return pl.Series(column)
    turns = Turns(pl.Series(column))
    return turns.joined(turns.content.fill_null("") + "\n")
