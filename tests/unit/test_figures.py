"""Sheets of sample images."""

import numpy as np
import pytest
from PIL import Image

from registry.describe.figures import GAP, LABEL_WIDTH, contact_sheet

GREY = np.full((28, 28), 200, np.uint8)
RGB = np.zeros((10, 40, 3), np.uint8)


def sheet(path, rows, labels, **options):
    contact_sheet(rows, labels, path, **options)
    with Image.open(path) as image:
        image.load()
    return image


@pytest.mark.parametrize(
    ("rows", "labels", "columns", "margin"),
    [
        ([[GREY] * 3], ["a"], 3, LABEL_WIDTH),
        ([[GREY], [GREY] * 4], ["a", ""], 4, LABEL_WIDTH),
        ([[GREY], [RGB]], ["", ""], 1, GAP),
        ([[], []], ["a", "b"], 1, LABEL_WIDTH),
        ([], [], 1, GAP),
    ],
)
@pytest.mark.parametrize("tile", [8, 56])
def test_its_size_follows_from_rows_and_columns(tmp_path, rows, labels, columns, margin, tile):
    found = sheet(tmp_path / "sheet.png", rows, labels, tile=tile)
    assert found.mode == "RGB"
    assert found.size == (margin + columns * (tile + GAP), GAP + len(rows) * (tile + GAP))


def test_each_picture_lies_in_its_place_and_keeps_its_shape(tmp_path):
    found = sheet(tmp_path / "sheet.png", [[GREY, RGB], [GREY]], ["", ""], tile=40)
    pixels = np.asarray(found)
    assert (pixels[GAP : GAP + 40, GAP : GAP + 40] == 200).all()
    wide = pixels[GAP : GAP + 40, GAP + 44 : GAP + 84]
    assert (wide[15:25] == 0).all()
    assert (pixels[:GAP] == 255).all()
    assert (pixels[GAP + 44 :, GAP + 44 :] == 255).all()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK", "1"])
def test_pillow_images_of_any_mode_can_be_shown(tmp_path, mode):
    assert sheet(tmp_path / "sheet.png", [[Image.new(mode, (30, 20))]], ["picture"])


def test_equal_pictures_make_equal_bytes(tmp_path):
    for name in ("one", "two"):
        contact_sheet([[GREY, RGB]], ["T-shirt/top"], tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_labels_must_match_the_rows(tmp_path):
    with pytest.raises(ValueError, match="zip"):
        contact_sheet([[GREY]], ["a", "b"], tmp_path / "sheet.png")
    assert not any(tmp_path.iterdir())
