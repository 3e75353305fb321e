"""Find rows about something that another split holds, too: a model must not be asked what it has learnt by heart."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from registry.kinds.rows import ID, Rows, digests_of

IN_TWO_SPLITS = "in_two_splits"
"""The problem of rows whose inputs are in a split that ranks higher, too."""


def in_higher_split(rows: Iterable[Rows], splits: Sequence[str], inputs: Sequence[str]) -> np.ndarray:
    """Return for each row whether one of a split that ranks higher is the same in the columns `inputs`.

    `splits` rank from the lowest to the highest, so that dropping these rows keeps those that models are measured by as
    they were published. It takes some 40 bytes a row.
    """
    digests, ranks = [np.empty(0, ID)], [np.empty(0, np.int64)]
    for its in rows:
        digests.append(digests_of(its.samples.get_column(name) for name in inputs))
        ranks.append(its.splits.replace_strict(splits, range(len(splits)), return_dtype=pl.Int64).to_numpy())
    rank = np.concatenate(ranks)
    _, group = np.unique(np.concatenate(digests), return_inverse=True)
    highest = np.zeros(len(rank), np.int64)
    np.maximum.at(highest, group, rank)
    return rank < highest[group]
