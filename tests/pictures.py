"""Pictures, and archives of them, as tests make them."""

import io
import tarfile
import zipfile
from collections.abc import Iterable

import numpy as np
from PIL import Image


def picture(seed: int, kind: str = "JPEG", mode: str = "RGB", size: tuple[int, int] = (60, 40)) -> bytes:
    """A picture that looks like no other seed's."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).convert(mode).save(buffer, format=kind)
    return buffer.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip of these files, the same bytes whenever it is made."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def spoiled(archive: bytes, contents: Iterable[bytes]) -> bytes:
    """What `zipped` returned, but the members of these contents are damaged: whoever reads one hears of it."""
    for content in contents:
        assert archive.count(content) == 1
        archive = archive.replace(content, bytes(reversed(content)))
    return archive


def tarred(files: dict[str, bytes]) -> bytes:
    """A compressed tar of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
