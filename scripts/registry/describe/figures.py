"""Pictures for the report: sheets of sample images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from registry.files import atomic_file

GAP = 4
LABEL_WIDTH = 110


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray | Image.Image]], labels: Sequence[str], path: str | Path, *, tile: int = 56
) -> None:
    """Write a PNG with one row of square tiles a label, `tile` pixels wide.

    Images are uint8 arrays, (height, width) grey or (height, width, 3) RGB, or Pillow images.
    """
    columns = max([1, *(len(row) for row in rows)])
    step = tile + GAP
    margin = LABEL_WIDTH if any(labels) else GAP
    sheet = Image.new("RGB", (margin + columns * step, GAP + len(rows) * step), "white")
    draw = ImageDraw.Draw(sheet)
    for y, (row, label) in enumerate(zip(rows, labels, strict=True)):
        draw.text((GAP, GAP + y * step + tile // 2), label, fill="black", anchor="lm")
        for x, image in enumerate(row):
            picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
            sheet.paste(ImageOps.pad(picture.convert("RGB"), (tile, tile)), (margin + x * step, GAP + y * step))
    with atomic_file(path) as partial:
        sheet.save(partial, format="PNG")
