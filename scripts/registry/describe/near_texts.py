"""Find texts that are near-duplicates: copies in which a few words were changed, added or left out.

A text counts as the set of its words, and a word for the more the rarer it is. How alike two texts are is the weight of
the words that both have, as a share of those that either has (a weighted Jaccard similarity). Candidates are texts with
a band of equal MinHashes (Broder: On the resemblance and containment of documents, 1997), which are drawn by weight
(Chum, Philbin, Zisserman: Near duplicate image detection, min-Hash and tf-idf weighting, 2008); of these, the
similarity is computed exactly.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
import polars as pl

from registry.describe.near import Pairs, Wanted, mixed, with_equal_keys

ALIKE = 0.45
"""The least similarity of near-duplicates, ..."""
SHORT, SHORT_ALIKE = 8, 0.75
"""... and if one of them has fewer words than this, of which three are much."""
BANDS, HASHES = 40, 4
"""Texts are candidates if all hashes of a band are the same."""
LONGEST = 4096
"""Words that count of a text: those whose hashes are the smallest, so that of two copies they are the same."""
WORDS = 1 << 21
"""Words of candidates that are compared at once."""
ALONE = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
"""Scripts without spaces between words: each letter is taken for one."""
WORD = rf"[{ALONE}]|[\w--[{ALONE}]]+"


class Texts:
    """Finds near-duplicates among texts, which are added batch by batch; a word takes eight bytes in memory."""

    def __init__(self) -> None:
        self._words: list[np.ndarray] = [np.empty(0, np.uint64)]
        self._lengths: list[np.ndarray] = [np.empty(0, np.int64)]

    def add(self, texts: pl.Series) -> None:
        """Add more texts; null is one without words."""
        found = texts.fill_null("").str.to_lowercase().str.extract_all(WORD).list.unique()
        lengths = found.list.len().to_numpy().astype(np.int64)
        words = found.filter(found.list.len() > 0).explode()
        known = words.unique()
        hashes = pl.Series([_hash(word) for word in known], dtype=pl.UInt64)
        hashed = words.replace_strict(known, hashes, return_dtype=pl.UInt64).to_numpy().astype(np.uint64)
        order = np.lexsort((hashed, np.repeat(np.arange(len(lengths)), lengths)))
        place = np.arange(len(hashed)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        self._words.append(hashed[order][place < LONGEST])
        self._lengths.append(np.minimum(lengths, LONGEST))

    def pairs(self, rows: np.ndarray, own: int, wanted: Wanted, *, across: bool = False) -> Pairs:
        """Yield pairs of near-duplicates among these rows; one of each pair is among the first `own` of them."""
        lengths = np.concatenate(self._lengths)
        texts = _Ragged(np.concatenate(self._words), np.cumsum(lengths) - lengths, lengths).take(rows)
        known, words, counts = np.unique(texts.values, return_inverse=True, return_counts=True)
        texts = _Ragged(words.astype(np.uint32), texts.starts, texts.lengths)
        weights = np.log1p(len(rows) / counts)
        for i, j in _candidates(texts, known, weights, own if across else 0):
            left = (np.minimum(i, j) < own) & wanted(rows[i], rows[j])
            for one, other in _parts(i[left], j[left], texts.lengths):
                left = wanted(rows[one], rows[other])
                one, other = one[left], other[left]
                alike = _similarity(texts, weights, one, other)
                few = np.minimum(texts.lengths[one], texts.lengths[other]) < SHORT
                near = alike >= np.where(few, SHORT_ALIKE, ALIKE)
                yield rows[one[near]], rows[other[near]], 1 - alike[near]


class _Ragged:
    """Rows of different lengths, one after the other."""

    def __init__(self, values: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> None:
        self.values, self.starts, self.lengths = values, starts, lengths

    def take(self, rows: np.ndarray) -> "_Ragged":
        """Return some of the rows."""
        lengths = self.lengths[rows]
        starts = np.cumsum(lengths) - lengths
        places = np.arange(lengths.sum()) + np.repeat(self.starts[rows] - starts, lengths)
        return _Ragged(self.values[places], starts, lengths)


def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")


def _candidates(
    texts: _Ragged, known: np.ndarray, weights: np.ndarray, own: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pairs of texts that have a band of hashes in common; `own` as for with_equal_keys."""
    full = np.flatnonzero(texts.lengths)
    for band in range(BANDS if len(full) else 0):
        keys = np.zeros(len(full), np.uint64)
        for number in range(band * HASHES, (band + 1) * HASHES):
            # Of a text's words, each comes first with a probability by its weight.
            drawn = mixed(known ^ mixed(np.array([number], np.uint64))) >> np.uint64(11)
            order = np.argsort(-np.log((drawn + 0.5) / 2**53) / weights, kind="stable")
            ranks = np.empty(len(order), np.uint64)
            ranks[order] = np.arange(len(order), dtype=np.uint64)
            keys = mixed(keys ^ np.minimum.reduceat(ranks[texts.values], texts.starts[full]))
        yield from with_equal_keys(full, keys, own)


def _parts(i: np.ndarray, j: np.ndarray, lengths: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pairs, so many at once that they have some WORDS."""
    if len(i):
        ends = np.cumsum(lengths[i] + lengths[j])
        cuts = np.searchsorted(ends, np.arange(WORDS, ends[-1], WORDS))
        yield from zip(np.split(i, cuts), np.split(j, cuts), strict=True)


def _similarity(texts: _Ragged, weights: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return how alike pairs of texts are, from 0 to 1."""
    one, other = texts.take(i), texts.take(j)
    numbers = np.repeat(np.arange(len(i), dtype=np.uint64), one.lengths)
    left = (numbers << np.uint64(32)) | one.values
    right = (np.repeat(np.arange(len(j), dtype=np.uint64), other.lengths) << np.uint64(32)) | other.values
    both = np.isin(left, right, assume_unique=True)
    common = np.bincount(numbers[both].astype(np.int64), weights[one.values[both]], len(i))
    totals = [
        np.bincount(np.repeat(np.arange(len(i)), its.lengths), weights[its.values], len(i)) for its in (one, other)
    ]
    return common / np.maximum(totals[0] + totals[1] - common, np.finfo(float).tiny)
