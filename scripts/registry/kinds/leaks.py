"""Find rows about something that another split holds, too: a model must not be asked what it has learnt by heart."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from registry.kinds.rows import ID, Rows, digests_of, dropped

IN_TWO_SPLITS = "in_two_splits"
"""The problem of rows whose inputs are in a split that ranks higher, too."""


def _in_higher_split(
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


def with_leaks(
    read: Callable[[], Iterable[Rows]],
    splits: Sequence[str],
    inputs: Sequence[str],
    policies: Mapping[str, str],
    says_something: Callable[[Rows], pl.Series],
) -> Iterator[Rows]:
    """Yield the rows that `read` yields, whenever it is called, with the problem IN_TWO_SPLITS; without splits, as is.

    Arguments as for `_in_higher_split`. It is no problem of rows of which `says_something` is false.
    """
    if len(splits) < 2:
        yield from read()
        return
    leaks, start = _in_higher_split(read(), splits, inputs, policies), 0
    for its in read():
        stop = start + its.samples.height
        leaked = pl.Series(leaks[start:stop]) & says_something(its)
        yield replace(its, problems={**its.problems, IN_TWO_SPLITS: leaked})
        start = stop
