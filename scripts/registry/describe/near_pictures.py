"""Find pictures that are near-duplicates: copies that were resized, encoded again or cropped a little.

What a perceptual hash (pHash) keeps of a picture are the signs of its lowest frequencies: small or uniform pictures
share many of them, and a crop of 3 % changes a third. So the frequencies themselves are kept: SIDE x SIDE coefficients
of the cosine transform of a grey thumbnail but for its mean, scaled to length 1, so that neither brightness nor
contrast counts. The distance of two pictures is that of these vectors, as they are or with one picture laid over the
other, which crops it at each edge by CROP at most. How far to crop follows from the tangents of the edges (Simard,
LeCun, Denker: Efficient pattern recognition using a new transformation distance, 1993).

All is held against all, in blocks. A picture takes 600 bytes in memory, and 3,100 in a file.
"""

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from tempfile import TemporaryFile

import numpy as np

from registry.describe.near import Pairs, Wanted

THUMBNAIL = 56
"""Pixels along a side of a thumbnail."""
DRAFT = 8
"""How many times as large a JPEG is decoded, at least, if it is."""
SIDE = 9
"""Frequencies along a side; ..."""
COARSE = (6, 4)
"""... and those by which candidates are found, and sifted before that."""
CROP = 0.036
"""The share of a side that a crop takes off at an edge, at most: a pixel of 28."""
STEPS = 24
"""Steps in which that is measured."""
NEAR = 0.105
"""The greatest distance of near-duplicates, ..."""
CANDIDATE = (0.125, 0.105)
"""... and of candidates by the tangents, in the frequencies of COARSE: times the root of how far crops take a picture.

The more detail a picture has, the more of it is lost when it is resized, and the farther a crop takes it. Two pictures
that have nothing in common are at a distance of 1.4.
"""
REACH = (1.05, 0.02)
"""Crops take a picture no farther than so many times what those of two whole edges do, and so much more."""
ROUNDS = 2
"""How often candidates are laid over each other, each time better."""
RIDGE = 1e-6
"""Keeps tangents apart that are hardly there, or the same."""
FORMATS = ("JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP")
"""The decoders in use."""
FLAT = 2.0
"""Grey levels: a picture whose pixels differ less from their mean is of one colour, and has no near-duplicates."""
UNIT = 1 << 14
"""Coefficients are whole numbers of this part, so that the last bits of sums decide nothing."""
BLOCK = (512, 2048)
"""Pictures that are held against each other at once."""
BLOCKS = 4
"""So many blocks begin with the same knowledge of what is wanted, on however many threads."""
LED_BY = 4
"""Coefficients by which pictures are ordered."""
PAIRS = 1 << 13
"""Candidates that are laid over each other at once."""


def _transform(low: float, high: float) -> np.ndarray:
    """Return the cosine transform (SIDE, THUMBNAIL) of the pixels between two places, 0 to 1, along a side."""
    edges = np.clip(np.linspace(0, 1, THUMBNAIL + 1), low, high)
    frequencies = np.pi * np.arange(1, SIDE)[:, None]
    waves = np.sqrt(2) * np.diff(np.sin(frequencies * (edges - low) / (high - low))) / frequencies
    return np.concatenate([np.diff(edges)[None] / (high - low), waves])


@cache
def _transforms() -> np.ndarray:
    """Return the transforms of a side of which so many steps are cropped off at both ends, by these numbers."""
    steps = CROP * np.arange(STEPS + 1) / STEPS
    return np.array([[_transform(low, 1 - high) for high in steps] for low in steps])


WHOLE = np.zeros(4, dtype=int)
HALF = STEPS // 2
EDGES = np.eye(4, dtype=int) * HALF
"""Those by which tangents are told, ..."""
CORNERS = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1]]) * STEPS
"""... and those of two whole edges. Crops are steps off the left, the right, the top and the bottom."""
ROW, COLUMN = np.divmod(np.arange(1, SIDE * SIDE), SIDE)
SIFTED = [np.flatnonzero(np.maximum(ROW, COLUMN) < side) for side in COARSE]
"""Which coefficients those of COARSE are."""


class Pictures:
    """Finds near-duplicates among pictures, which are added batch by batch, on so many threads."""

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._file = TemporaryFile()  # noqa: SIM115  It is gone as soon as this object is.
        self._count = 0

    def add(self, pictures: Sequence[bytes | np.ndarray | None]) -> None:
        """Add more pictures: the bytes of files, or pixels as uint8 (height, width, colours)."""
        with ThreadPoolExecutor(self._threads) as pool:
            for small in pool.map(thumbnail, pictures):
                self._file.write(small.tobytes())
        self._count += len(pictures)

    def pairs(self, rows: np.ndarray, own: int, wanted: Wanted, *, across: bool = False) -> Pairs:
        """Yield pairs of near-duplicates among these rows; one of each pair is among the first `own` of them."""
        if self._count:
            self._file.flush()
            shape = (self._count, THUMBNAIL, THUMBNAIL)
            search = _Search(np.memmap(self._file, np.uint8, "r", shape=shape), rows, own, wanted, across=across)
            with ThreadPoolExecutor(self._threads) as pool:
                for first in range(0, search.blocks, BLOCKS):
                    blocks = range(first, min(first + BLOCKS, search.blocks))
                    for found in list(pool.map(search.pairs, blocks)):
                        yield from found


def thumbnail(picture: bytes | np.ndarray | None) -> np.ndarray:
    """Return the thumbnail of a picture: grey, uint8 (THUMBNAIL, THUMBNAIL); of one that nobody can read, black."""
    # Datasets without pictures do without Pillow.
    from PIL import Image

    try:
        if isinstance(picture, np.ndarray):
            image = Image.fromarray(picture.squeeze(axis=-1) if picture.shape[-1] == 1 else picture)
        else:
            image = Image.open(io.BytesIO(picture or b""), formats=FORMATS)
        with image:
            image.draft("L", (DRAFT * THUMBNAIL, DRAFT * THUMBNAIL))  # A JPEG of half the size takes less time.
            return np.asarray(image.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR))
    except Exception:  # Decoders raise whatever broken bytes lead them to.
        return np.zeros((THUMBNAIL, THUMBNAIL), np.uint8)


def coefficients(thumbnails: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """Return what is compared of pictures that are cropped so: float32 (n, SIDE * SIDE - 1), 0 for those of one colour.

    `crop` is one of four numbers of steps, or one of these for each picture.
    """
    left, right, top, bottom = crop.T
    transforms = _transforms()
    found = transforms[top, bottom] @ thumbnails.astype(np.float64) @ np.swapaxes(transforms[left, right], -1, -2)
    found = found.reshape(len(thumbnails), SIDE * SIDE)[:, 1:]
    length = np.sqrt((found**2).sum(axis=1, keepdims=True))
    return (np.rint(found * (UNIT / np.maximum(length, FLAT))) * (length >= FLAT) / UNIT).astype(np.float32)


def _tangents(thumbnails: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return how the coefficients change, (n, 4, coefficients), as each edge is cropped by HALF of the steps."""
    return np.stack([coefficients(thumbnails, edge) - whole for edge in EDGES], axis=1)


def _squares(vectors: np.ndarray) -> np.ndarray:
    return np.einsum("...d,...d->...", vectors, vectors)


class _Search:
    """The search for near-duplicates among the pictures in some rows, of which the first `own` are a dataset's own.

    They are taken in an order that follows from what they show, so that theirs plays no part.
    """

    def __init__(self, thumbnails: np.ndarray, rows: np.ndarray, own: int, wanted: Wanted, *, across: bool) -> None:
        self._thumbnails, self._wanted, self._across = thumbnails, wanted, across
        parts = [thumbnails[rows[start : start + BLOCK[1]]] for start in range(0, len(rows), BLOCK[1])]
        whole = np.concatenate(
            [np.empty((0, SIDE * SIDE - 1), np.float32), *(coefficients(one, WHOLE) for one in parts)]
        )
        seen = np.flatnonzero(whole.any(axis=1))
        order = seen[np.lexsort((*whole[seen, LED_BY - 1 :: -1].T, seen >= own))]
        self._rows, self._whole, self._own = rows[order], whole[order], np.count_nonzero(seen < own)
        self._parts = [self._whole[:, sifted] for sifted in SIFTED]
        self._coarse = self._parts[0]
        self._halves = _squares(self._coarse) / 2
        ones = np.ones((len(order), 1), np.float32)
        self._columns = np.concatenate([self._coarse, ones, -self._halves[:, None]], axis=1).T

    @property
    def blocks(self) -> int:
        """How many blocks of pictures there are."""
        return -(-len(self._whole) // BLOCK[0])

    def pairs(self, block: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return pairs of near-duplicates: each picture of a block as what others may be crops of."""
        start, found = BLOCK[0] * block, []
        some = slice(start, start + BLOCK[0])
        tangents = _tangents(self._thumbnails[self._rows[some]], self._whole[some])
        bases = [np.linalg.qr(np.swapaxes(tangents[:, :, sifted], 1, 2))[0] for sifted in SIFTED]
        far = _crops(self._thumbnails[self._rows[some]], self._coarse[some])
        reach, limits = REACH[0] * far + REACH[1], np.sqrt(far)
        ones = np.ones((len(reach), 1), np.float32)
        lines = np.concatenate([self._coarse[some], (reach**2 / 2 - self._halves[some])[:, None], ones], axis=1)
        low, high = self._coarse[some, 0].min() - reach.max(), self._coarse[some, 0].max() + reach.max()
        for first in range(0, len(self._rows) if start < self._own else self._own, BLOCK[1]):
            leading = self._coarse[first : first + BLOCK[1], 0]
            if leading.min() > high or leading.max() < low:
                continue
            places = np.flatnonzero(lines @ self._columns[:, first : first + BLOCK[1]] > 0)
            i, j = np.divmod(places, len(leading))
            i, j = self._sift(start, bases, limits, i, j + first)
            for step in range(0, len(i), PAIRS):
                found += self._near(start, tangents, limits, i[step : step + PAIRS], j[step : step + PAIRS])
        return found

    def _sift(
        self, start: int, bases: list[np.ndarray], limits: np.ndarray, i: np.ndarray, j: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return those pairs that are candidates by the tangents; `i` counts from `start`, at which a block begins."""
        left = (j != i + start) & (np.minimum(i + start, j) < self._own)
        if self._across:
            left &= np.maximum(i + start, j) >= self._own
        i, j = i[left], j[left]
        left = self._wanted(self._rows[i + start], self._rows[j])
        for basis, part, most in reversed([*zip(bases, self._parts, CANDIDATE, strict=True)]):
            i, j = i[left], j[left]
            apart = part[j] - part[i + start]
            along = (apart[:, None] @ basis[i])[:, 0]
            left = _squares(apart) - _squares(along) <= (most * limits[i]) ** 2
        return i[left], j[left]

    def _near(self, start: int, tangents: np.ndarray, limits: np.ndarray, i: np.ndarray, j: np.ndarray) -> Pairs:
        """Yield those of some candidates that are near-duplicates."""
        left = self._wanted(self._rows[i + start], self._rows[j])
        i, j = i[left], j[left]
        its, crops, apart = tangents[i], np.zeros((len(i), 4)), self._whole[j] - self._whole[i + start]
        squares = its @ np.swapaxes(its, 1, 2) + RIDGE * np.eye(4, dtype=np.float32)
        distances = _squares(apart)
        for _ in range(ROUNDS):
            crops += np.linalg.solve(squares, its @ apart[:, :, None])[:, :, 0]
            steps = np.rint(HALF * crops).clip(-STEPS, STEPS).astype(int)
            # What is cropped off the one cannot be seen in the other.
            one = coefficients(self._thumbnails[self._rows[i + start]], np.maximum(steps, 0))
            apart = coefficients(self._thumbnails[self._rows[j]], np.maximum(-steps, 0)) - one
            distances = np.minimum(distances, _squares(apart))
            crops = steps / HALF
        near = distances <= (NEAR * limits[i]) ** 2
        yield self._rows[i[near] + start], self._rows[j[near]], np.sqrt(distances[near])


def _crops(thumbnails: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Return how far crops of two whole edges take pictures, at most, given their coarse coefficients: float32 (n,)."""
    apart = [coefficients(thumbnails, corner)[:, SIFTED[0]] - coarse for corner in CORNERS]
    return np.sqrt(np.max([_squares(one) for one in apart], axis=0))
