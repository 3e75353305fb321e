"""Make small pictures for a page."""

import hashlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from registry.errors import RegistryError
from registry.reading.pictures import decoded

SIDE = 200
"""Pixels that a picture on a page has at most, on either side."""
SMALL = 64
"""Pictures with no more pixels on either side are shown as they are, pixel by pixel."""


@dataclass(frozen=True)
class Thumbnail:
    """A small picture, in a file of this name, and the size of the one that it shows, in pixels."""

    name: str
    content: bytes
    width: int
    height: int


def thumbnail(content: bytes | None) -> Thumbnail | None:
    """Return a small picture of an encoded one; None where there is none, or it does not decode."""
    try:
        return _of(decoded(content)) if content else None
    except (RegistryError, ValueError, OSError):
        return None


def thumbnail_of_pixels(pixels: Any) -> Thumbnail | None:
    """Return a small picture of rows of grey or coloured pixels; None of what is no picture of 1, 3 or 4 channels."""
    try:
        values = np.asarray(pixels, np.uint8)
    except (TypeError, ValueError):  # Some of them are missing.
        return None
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if not values.size or (values.ndim != 2 and (values.ndim != 3 or values.shape[2] not in (3, 4))):
        return None
    return _of(Image.fromarray(values))


def _of(image: Image.Image) -> Thumbnail:
    width, height = image.size
    buffer = io.BytesIO()
    if max(image.size) <= SMALL:
        suffix = "png"
        image.convert("RGBA" if "A" in image.getbands() else "RGB" if image.mode != "L" else "L").save(buffer, "PNG")
    else:
        suffix = "jpg"
        small = image.convert("RGB")
        small.thumbnail((SIDE, SIDE))
        small.save(buffer, "JPEG", quality=75)
    content = buffer.getvalue()
    return Thumbnail(f"{hashlib.sha256(content).hexdigest()[:20]}.{suffix}", content, width, height)
