"""Turn any picture into an upright RGB JPEG, or say why it cannot be one; find pictures that look alike.

The bytes of a JPEG that is RGB and not rotated by EXIF stay exactly as they are, metadata included. All else is encoded
again, at the given quality, without chroma subsampling (4:4:4) and without metadata, after these steps:
- of several frames (GIF, TIFF, WebP, MPO) the first is taken;
- EXIF orientation is applied to the pixels;
- 16-bit grey becomes 8-bit on a linear scale: of 0..65535, or, if asked for, of the range of the fewest bits that hold
  the brightest pixel, since scanners write 10 to 14 bits into files of 16, which are almost black on the full scale;
  of 16-bit colour, the decoder keeps the high byte; pixels of 32 bits and floats have no known range, so they count
  as corrupt;
- transparency (alpha, or a transparent colour of a palette) is laid over white, the colour of a page;
- grey, palette, CMYK, YCbCr become RGB by Pillow's conversion, which ignores colour profiles.

Pillow fills up what is missing inside a JPEG and does not check the sums of a PNG's pixels. So JPEGs are also decoded
by a strict decoder, for which whatever libjpeg warns about is an error, and the sums of PNGs are checked.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import imagehash
import numpy as np
import simplejpeg
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP")
"""The decoders in use; the others that Pillow has are kept away from untrusted bytes."""
SCALES = ("full", "observed")
"""How 16-bit grey that is narrow can become 8-bit."""
ORIENTATION = 0x0112
NARROW_BITS = 14
"""16-bit grey whose brightest pixel needs no more bits than these is narrow: at most a quarter of full brightness."""
BLOCK = 2**22
"""Pairs of pictures compared at once."""


class UnusableError(Exception):
    """A picture that must not go on: `problem` is empty_files, oversized, corrupt or narrow, the message says more."""

    def __init__(self, problem: str, detail: str) -> None:
        self.problem = problem
        super().__init__(detail)


@dataclass(frozen=True)
class Limits:
    """What a picture may have at most: bytes in its file, pixels in all, and pixels along a side."""

    max_bytes: int
    max_pixels: int
    max_side: int


@dataclass(frozen=True)
class Picture:
    """An upright RGB picture: its JPEG bytes, whether they were `converted`, its size, and its perceptual hash.

    `narrow` tells that it was 16-bit grey of which at most NARROW_BITS bits are in use.
    """

    jpeg: bytes
    converted: bool
    narrow: bool
    width: int
    height: int
    perceptual_hash: int


def read_picture(data: bytes, limits: Limits, quality: int, scale: str | None = "full") -> Picture:
    """Decode a picture to its last pixel and return it as an upright RGB JPEG; `quality` is for one encoded again.

    `scale` says how 16-bit grey that is narrow becomes 8-bit: on the `full` scale, on the `observed` one (of the fewest
    bits that hold its brightest pixel), or not at all (None). Raises UnusableError for that, for no bytes, for a
    picture beyond `limits` (which its header tells, before any pixel is decoded), and for one that does not decode
    without a warning.
    """
    if not data:
        raise UnusableError("empty_files", "no bytes")
    if len(data) > limits.max_bytes:
        raise UnusableError("oversized", f"{len(data):,} bytes, more than max_bytes ({limits.max_bytes:,})")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(*image.size, limits)
            image.load()
            _check_soundness(data, str(image.format))
            bits = _bits_in_use(image)
            narrow = 0 < bits <= NARROW_BITS
            if narrow and scale is None:
                raise UnusableError("narrow", f"16-bit grey of which {bits} bits are in use")
            rotated = image.getexif().get(ORIENTATION, 1) in range(2, 9)
            converted = image.format != "JPEG" or image.mode != "RGB" or rotated
            rgb = _as_rgb(image, bits if narrow and scale == "observed" else 16) if converted else image
            return Picture(
                jpeg=_as_jpeg(rgb, quality) if converted else data,
                converted=converted,
                narrow=narrow,
                width=rgb.width,
                height=rgb.height,
                perceptual_hash=int(str(imagehash.phash(rgb)), 16),
            )
    except (MemoryError, UnusableError):
        raise
    except Image.DecompressionBombError:
        raise UnusableError("oversized", "a decompression bomb") from None
    except UnidentifiedImageError:
        raise UnusableError("corrupt", f"not a picture in one of the formats {', '.join(FORMATS)}") from None
    except Exception as error:  # decoders raise whatever broken bytes lead them to
        raise UnusableError("corrupt", f"{type(error).__name__}: {error}") from None


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise UnusableError("oversized", f"{width}x{height}, more than max_pixels ({limits.max_pixels:,})")
    if max(width, height) > limits.max_side:
        raise UnusableError("oversized", f"{width}x{height}, longer than max_side ({limits.max_side:,})")


def _check_soundness(data: bytes, kind: str) -> None:
    """Raise what the decoder raises for a JPEG with a warning, or a PNG with a wrong checksum."""
    if kind in ("JPEG", "MPO"):
        simplejpeg.decode_jpeg(data, colorspace="GRAY", min_height=1, min_width=1, min_factor=8, strict=True)
    elif kind == "PNG":
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            image.verify()


def _bits_in_use(image: Image.Image) -> int:
    """Return how many bits the brightest pixel of a 16-bit grey picture needs, at least 8; 0 for all other pictures."""
    return max(8, int(np.asarray(image).max()).bit_length()) if image.mode.startswith("I;16") else 0


def _as_rgb(image: Image.Image, bits: int) -> Image.Image:
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {upright.mode} have no known range")
    if upright.mode.startswith("I;16"):
        brightest = 2**bits - 1
        scaled = (np.asarray(upright).astype(np.uint32) * 255 + brightest // 2) // brightest
        upright = Image.fromarray(scaled.astype(np.uint8))
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    rgb = upright.convert("RGB")
    rgb.info = {}
    return rgb


def _as_jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality, subsampling="4:4:4")
    return buffer.getvalue()


def near_pairs(hashes: np.ndarray, max_distance: int) -> Iterator[tuple[Any, Any, Any]]:
    """Yield (i, j, distance) arrays, i < j, of the pairs of perceptual hashes at most `max_distance` bits apart.

    `hashes` is a uint64 array (n,). Pairs come ordered by i, then j, in blocks, so that memory stays bounded.
    """
    rows = max(1, BLOCK // max(1, len(hashes)))
    for start in range(0, len(hashes), rows):
        distances = np.bitwise_count(hashes[start : start + rows, None] ^ hashes[None, start:])
        i, j = np.nonzero(np.triu(distances <= max_distance, k=1))
        yield i + start, j + start, distances[i, j]
