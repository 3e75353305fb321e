"""Find rows about something that another split holds, too: a model must not be asked what it has learnt by heart."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import polars as pl

from registry.kinds.rows import ID, Rows, digests_of, dropped

IN_TWO_SPLITS = "in_two_splits"
"""The problem of rows whose inputs are in a split that ranks higher, too."""


def in_higher_split(
    rows: Iterable[Rows], splits: Sequence[str], inputs: Sequence[str], policies: Mapping[str, str]
) -> np.ndarray:
    """Return for each row whether one of a split that ranks higher is the same in the columns `inputs`.

    `splits` rank from the lowest to the highest, so that dropping these rows keeps those that models are measured by as
    they were published; of rows that are dropped for another problem, nothing is a copy. It takes some 40 bytes a row.
    """
    digests, ranks, gone = [np.empty(0, ID)], [np.empty(0, np.int64)], [np.empty(0, bool)]
    for its in rows:
        digests.append(digests_of(its.samples.get_column(name) for name in inputs))
        ranks.append(its.splits.replace_strict(splits, range(len(splits)), return_dtype=pl.Int64).to_numpy())
        gone.append(dropped(its.problems, policies, its.samples.height).to_numpy())
    rank = np.concatenate(ranks)
    _, group = np.unique(np.concatenate(digests), return_inverse=True)
    highest = np.zeros(len(rank), np.int64)
    left = ~np.concatenate(gone)
    np.maximum.at(highest, group[left], rank[left])
    return rank < highest[group]
