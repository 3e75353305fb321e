"""What there is to know of pictures: their sizes, which of them look alike, and a sheet of the first ones."""

import io
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
from PIL import Image

from registry.describe.encoded import picture_measures
from registry.describe.figures import contact_sheet
from registry.describe.statistics import summarise
from registry.formats.images import near_pairs

TILE = 96
PER_ROW = 8
"""Pictures in a row of the sheet."""
ROWS = 20
"""Rows of the sheet where there are so many classes, ..."""
PLAIN_ROWS = 4
"""... and where there are none."""
MEASURED = ("width", "height", "bytes")
LISTED = 100
"""Pairs of pictures that look alike that are named; all are counted."""
FEW = 4_096
"""Pictures of which all are held against all."""


class Pictures:
    """Measures the pictures of a dataset, of which a batch at a time is there.

    `classes` are those that come first on the sheet, in their order. Of each picture, some 50 bytes and its key stay in
    memory.
    """

    def __init__(self, classes: Sequence[str] = ()) -> None:
        self._tiles: dict[str, list[Image.Image]] = {name: [] for name in classes[:ROWS]}
        self._measures: dict[str, dict[str, list[int]]] = {}
        self._hashes: list[int] = []
        self._names: list[tuple[str, str]] = []

    def add(self, split: str, keys: Sequence[str], pictures: Sequence[bytes], labels: Sequence[str] | None) -> None:
        """Add more pictures (the bytes of upright RGB JPEGs) of a split, with their labels where they have some."""
        measures = self._measures.setdefault(split, {name: [] for name in MEASURED})
        for number, (key, data) in enumerate(zip(keys, pictures, strict=True)):
            with Image.open(io.BytesIO(data)) as image:
                for name, measure in zip(MEASURED, (*image.size, len(data)), strict=True):
                    measures[name].append(measure)
                image.draft("RGB", (TILE, TILE))  # A picture of an eighth of the size takes a fraction of the time.
                self._hashes.append(int(str(imagehash.phash(image)), 16))
                self._names.append((split, key))
                self._show(image, "" if labels is None else str(labels[number]))

    def _show(self, image: Image.Image, label: str) -> None:
        if label in self._tiles or len(self._tiles) < ROWS:
            row = self._tiles.setdefault(label, [])
            if len(row) < PER_ROW * (1 if label else PLAIN_ROWS):
                tile = image.convert("RGB")
                tile.thumbnail((TILE, TILE))
                row.append(tile)

    measures = staticmethod(picture_measures)

    def metrics(self) -> dict[str, dict[str, float]]:
        """Return, by split, statistics of the pictures' widths, heights (in pixels) and bytes."""
        return {
            split: {
                f"image_{name}_{key}": value
                for name, values in measures.items()
                for key, value in summarise(values).items()
            }
            for split, measures in self._measures.items()
        }

    def alike(self, max_distance: int) -> dict[str, Any]:
        """Return how many pairs look alike, at most so many bits apart, how many across splits, and the first pairs."""
        splits = np.array([split for split, _ in self._names])
        report: dict[str, Any] = {"pairs": 0, "across_splits": 0, "first": []}
        for i, j, distances in pairs_alike(np.array(self._hashes, dtype=np.uint64), max_distance):
            report["pairs"] += len(i)
            report["across_splits"] += int((splits[i] != splits[j]).sum())
            left = LISTED - len(report["first"])
            for a, b, distance in zip(i[:left], j[:left], distances[:left], strict=True):
                names = [": ".join(self._names[number]) for number in (a, b)]
                report["first"].append({"pictures": names, "distance": int(distance)})
        return report

    def draw(self, path: str | Path) -> None:
        """Write the sheet of samples: a row of the first ones of each class, or rows of the first ones."""
        rows = {label: tiles for label, tiles in self._tiles.items() if tiles}
        if (plain := rows.pop("", None)) is not None:
            parts = [plain[start : start + PER_ROW] for start in range(0, len(plain), PER_ROW)]
        else:
            parts = []
        labels = [_drawable(label) for label in rows]
        contact_sheet([*rows.values(), *parts], [*labels, *[""] * len(parts)], path, tile=TILE)


def _drawable(label: str) -> str:
    """Return a label without accents: the font that Pillow brings has none."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", label) if not unicodedata.combining(letter))


def pairs_alike(hashes: np.ndarray, max_distance: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield the pairs of hashes that `near_pairs` finds, in another order, in a fraction of the time if there are many.

    Hashes that differ in at most d of 64 bits are equal in one of d + 1 parts of them: only those are compared.
    """
    parts = max_distance + 1
    width = 64 // parts
    if len(hashes) <= FEW or width < 8:
        yield from near_pairs(hashes, max_distance)
        return
    mask = np.uint64((1 << width) - 1)
    shifts = [np.uint64(number * width) for number in range(parts)]
    for number, shift in enumerate(shifts):
        part = (hashes >> shift) & mask
        order = np.argsort(part, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
            for i, j, distances in near_pairs(hashes[group], max_distance):
                a, b = group[i], group[j]
                differing = hashes[a] ^ hashes[b]
                new = np.ones(len(a), dtype=bool)
                for earlier in shifts[:number]:
                    new &= (differing >> earlier) & mask != 0
                yield a[new], b[new], distances[new]
