"""Decode pictures for those who train on them: upright, bounded, and by the decoders that are meant for them."""

import io
from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from registry.errors import RegistryError

FORMATS = ("JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP")
"""The decoders in use; the others that Pillow has are kept away from untrusted bytes."""


def decoded(value: bytes | Mapping[str, Any] | None) -> Image.Image | None:
    """Return a picture, upright, of its bytes, or of a mapping that holds them as `bytes`; None of None.

    Raises RegistryError for one that is not in FORMATS, does not decode, or has more pixels than Pillow's own limit,
    `PIL.Image.MAX_IMAGE_PIXELS`, which its header tells before any pixel is decoded.
    """
    content = value["bytes"] if isinstance(value, Mapping) else value
    if content is None:
        return None
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
                raise Image.DecompressionBombError
            return ImageOps.exif_transpose(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RegistryError(
            "a picture has more pixels than PIL.Image.MAX_IMAGE_PIXELS",
            hint="raise that, if its source is to be trusted",
        ) from None
    except UnidentifiedImageError:
        raise RegistryError(f"not a picture in one of the formats {', '.join(FORMATS)}") from None
    except MemoryError:
        raise
    except Exception as error:  # decoders raise whatever broken bytes lead them to
        raise RegistryError(f"a picture does not decode: {type(error).__name__}: {error}") from None
