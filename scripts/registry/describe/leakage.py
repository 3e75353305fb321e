"""Find rows that are the same as others or nearly so: in their split, in another one, and in other datasets.

What is compared is what the rows are about, their inputs: a picture, a text or conversation, else all columns together.
Rows with equal inputs are `exact` duplicates; the other ones are near-duplicates by what finds these.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from registry.config.leakage import DIGITS
from registry.describe.breaches import SHOWN_ROWS, Case, Cases, Row, how
from registry.describe.canonical import canonical, row_digests
from registry.describe.others import read_inputs
from registry.describe.samples import Samples

NAMED = 3
"""Pairs that are named of two splits, or of a split and another dataset, ..."""
MOST = 20
"""... and in all."""
BYTES = 8
"""Of a digest."""


class Leakage:
    """Holds the rows of a dataset, which are added batch by batch, against each other and against other datasets.

    `said` is what its contract says of leakage; `others` maps the names of other datasets to their data, a file or a
    folder, and the column that is compared there, None for those that are called as here. Pictures are compared on so
    many `threads`, whose number plays no part in what is found. `cases` are, once there are
    figures, more pairs than these name, by two splits or a split and, after "", another dataset.
    """

    def __init__(
        self, said: Mapping[str, Any], others: Mapping[str, tuple[Path, str | None]], threads: int = 1
    ) -> None:
        self._said, self._others, self._threads = said, others, threads
        self.cases: Cases = {}
        self._schema: pa.Schema | None = None
        self._samples: Samples | None = None
        self._labels: dict[str, int] = {}
        self._digests, self._splits = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        self._keys: list[pa.StringArray] = [pa.array([], pa.string())]

    def add(self, split: str, inputs: pa.RecordBatch, keys: Sequence[str] | pa.StringArray) -> None:
        """Add more rows of a split: the columns of their inputs, and their keys."""
        if self._samples is None:
            self._schema, self._samples = (
                inputs.schema,
                Samples(inputs, self._said.get("digits", DIGITS), self._threads),
            )
        self._take(self._labels.setdefault(split, len(self._labels)), inputs, pa.array(keys, pa.string()))

    def _take(self, label: int, inputs: pa.RecordBatch, keys: pa.StringArray) -> None:
        digests = row_digests([canonical(column) for column in inputs.columns], BYTES)
        self._digests.append(np.frombuffer(digests, np.uint64))
        self._splits.append(np.full(inputs.num_rows, label))
        self._keys.append(keys)
        if self._said.get("near", True):
            self._samples.add(inputs)

    def figures(self) -> dict[str, Any]:
        """Return what was found, for metadata.json; see metadata.schema.yaml."""
        if self._samples is None:
            return {}
        own, splits = sum(map(len, self._digests)), [*self._labels]
        for other, (data, column) in self._others.items():
            for keys, inputs in read_inputs(other, data, column, self._schema):
                self._take(len(self._labels), inputs, keys)
            self._labels[f"\0{other}"] = len(self._labels)
        rows = _Rows(np.concatenate(self._digests), np.concatenate(self._splits), len(self._labels), own)
        if self._said.get("near", True):
            rows.find(self._samples)
        names = [*splits, *self._others]
        found: dict[str, Any] = {"compared": self._samples.sort, "columns": self._schema.names, "splits": {}}
        for here, there, exact, near in rows.counts(len(splits)):
            kind = found["splits"] if there < len(splits) else found.setdefault("against", {})
            kind.setdefault(names[here], {})[names[there]] = {"exact": exact, "near": near}
        keys = pa.chunked_array(self._keys)
        examples = [
            {
                "split": names[rows.labels[one]],
                "key": keys[one].as_py(),
                "like": {
                    "split" if rows.labels[other] < len(splits) else "dataset": names[rows.labels[other]],
                    "key": keys[other].as_py(),
                },
                "distance": round(distance, 3),
                "exact": exact,
            }
            for one, other, distance, exact in rows.examples(len(splits), NAMED)
        ]
        for one, other, distance, exact in rows.examples(len(splits), SHOWN_ROWS):
            here, there = (self._row_of(row, rows.labels, keys, splits) for row in (one, other))
            place = here.split, there.split if there.dataset is None else "", there.dataset
            self.cases.setdefault(place, []).append(Case([here, there], how(round(distance, 3), exact)))
        return found | ({"examples": examples[:MOST]} if examples else {})

    def _row_of(self, row: int, labels: np.ndarray, keys: pa.ChunkedArray, splits: Sequence[str]) -> Row:
        """Return a row by its number among all; those of a label follow each other."""
        label, key = labels[row], keys[row].as_py()
        if label >= len(splits):
            return Row("", key=key, dataset=[*self._others][label - len(splits)])
        return Row(splits[label], row - int(np.argmax(labels == label)), key)


class _Rows:
    """Which of some rows, of which the first `own` are those of the dataset, are like which others.

    Rows with the same inputs are a group; what `labels` says is the split of a row, or the other dataset.
    """

    def __init__(self, digests: np.ndarray, labels: np.ndarray, number: int, own: int) -> None:
        self.labels, self._own = labels, own
        _, self._first, self._group = np.unique(digests, return_index=True, return_inverse=True)
        self._counts = np.zeros((len(self._first), number), np.int64)
        np.add.at(self._counts, (self._group, labels), 1)
        self._present = self._counts > 0
        self._near = np.zeros_like(self._present)
        self._pairs: list[np.ndarray] = [np.empty((0, 3))]
        places = self._group * number + labels
        self._ordered = np.argsort(places, kind="stable")
        self._places = places[self._ordered]

    def find(self, samples: Samples) -> None:
        """Note which groups are near-duplicates."""
        rows = np.sort(self._first)
        own = int(np.searchsorted(rows, self._own))
        for i, j, distances in samples.pairs(rows, own, self._wanted):
            if len(i):
                one, other = self._group[i], self._group[j]
                np.logical_or.at(self._near, one, self._present[other])
                np.logical_or.at(self._near, other, self._present[one])
                self._pairs.append(np.stack([one, other, distances], axis=1))

    def _wanted(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        one, other = self._group[i], self._group[j]
        new = (self._present[other] & ~self._near[one]).any(axis=1) & (i < self._own)
        return (one != other) & (new | ((self._present[one] & ~self._near[other]).any(axis=1) & (j < self._own)))

    def counts(self, splits: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield, of each split and each split or dataset, how many rows have an exact, or else a near, twin there."""
        for here in range(splits):
            for there in range(self._counts.shape[1]):
                its, same = self._counts[:, here], self._present[:, there]
                same = self._counts[:, here] > 1 if here == there else same
                exact, near = int(its[same].sum()), int(its[self._near[:, there] & ~same].sum())
                if exact or near:
                    yield here, there, exact, near

    def examples(self, splits: int, most: int) -> Iterator[tuple[int, int, float, bool]]:
        """Yield the closest pairs (row, other row, distance, if they are the same), so many of any two places at most.

        A place is a split, or another dataset.
        """
        number = self._counts.shape[1]
        pairs = [(here, there) for here in range(splits) for there in range(here + 1, number)]
        several = np.argsort(self._first, kind="stable")
        several = several[self._counts[several].sum(axis=1) > 1]
        one, other, distances = self._closest
        for here, there in pairs + [(split, split) for split in range(splits)]:
            twice = self._counts[several, there] > (here == there)
            same = several[self._present[several, here] & twice]
            direct = self._present[one, here] & self._present[other, there]
            reverse = self._present[other, here] & self._present[one, there] & ~direct
            alike = np.flatnonzero(direct | reverse)
            # Half of them are the same, where there are enough of both.
            first = most - min(len(alike), most // 2)
            for group in same[:first]:
                yield self._row(group, here, 0), self._row(group, there, int(here == there)), 0.0, True
            for place in alike[: most - min(len(same), first)]:
                groups = (one[place], other[place]) if direct[place] else (other[place], one[place])
                yield self._row(groups[0], here, 0), self._row(groups[1], there, 0), float(distances[place]), False

    @cached_property
    def _closest(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the groups of all pairs, each pair once, and their distances, the closest first."""
        near = np.concatenate(self._pairs)
        groups, distances = near[:, :2].astype(np.int64), near[:, 2]
        groups = np.take_along_axis(groups, np.argsort(self._first[groups], axis=1), axis=1)
        order = np.lexsort((self._first[groups[:, 1]], self._first[groups[:, 0]], distances))
        _, once = np.unique(groups[order], axis=0, return_index=True)
        kept = order[np.sort(once)]
        return groups[kept, 0], groups[kept, 1], distances[kept]

    def _row(self, group: int, label: int, number: int) -> int:
        """Return the row of a group of such a number among those with a label."""
        place = np.searchsorted(self._places, group * self._counts.shape[1] + label)
        return int(self._ordered[place + number])
