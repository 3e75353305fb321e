"""Pictures of every kind become upright RGB JPEGs, or are refused; those that look alike are found."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from registry.formats.images import Limits, UnusableError, near_pairs, read_picture
from support import examples

LIMITS = Limits(max_bytes=1_000_000, max_pixels=1_000_000, max_side=2_000)
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A picture with red, green, blue and white quarters, so that every way of turning it shows."""
    width, height = size
    image = Image.new("RGB", size, WHITE)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill=RED)
    draw.rectangle((width // 2, 0, width, height // 2 - 1), fill=GREEN)
    draw.rectangle((0, height // 2, width // 2 - 1, height), fill=BLUE)
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def converted(data: bytes) -> Image.Image:
    """The picture that `data` became, after the checks that hold for whatever was written anew."""
    picture = read_picture(data, LIMITS, quality=95)
    image = Image.open(io.BytesIO(picture.jpeg))
    image.load()
    assert picture.converted
    assert picture.jpeg != data
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (picture.width, picture.height))
    assert [component[1:3] for component in image.layer] == [(1, 1)] * 3, "chroma is subsampled"
    assert not image.getexif()
    assert not image.info.keys() & {"comment", "exif", "icc_profile", "xmp"}
    return image


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """Colours in the middle of the four quarters: top left, top right, bottom left, bottom right."""
    x, y = image.width // 4, image.height // 4
    return [image.getpixel(at) for at in ((x, y), (3 * x, y), (x, 3 * y), (3 * x, 3 * y))]


def assert_colours(image: Image.Image, *expected: tuple[int, ...], tolerance: int = 4) -> None:
    assert np.abs(np.array(corners(image)) - np.array(expected)).max() <= tolerance, corners(image)


@pytest.mark.parametrize("options", [{"quality": 40}, {"progressive": True}, {"comment": b"kept"}, {"quality": 100}])
def test_an_rgb_jpeg_keeps_its_bytes(options):
    data = encoded(quarters(), "JPEG", **options)
    picture = read_picture(data, LIMITS, quality=95)
    assert picture.jpeg == data
    assert not picture.converted
    assert (picture.width, picture.height) == (64, 48)


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_exif_that_does_not_rotate_changes_nothing(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(quarters(), "JPEG", exif=exif)
    assert read_picture(data, LIMITS, quality=95).jpeg == data


def test_broken_exif_does_not_make_a_picture_corrupt():
    data = encoded(quarters(), "JPEG", exif=b"Exif\0\0not a TIFF header")
    assert read_picture(data, LIMITS, quality=95).jpeg == data


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_rotation_is_applied(orientation):
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(quarters().transpose(undo[orientation]), "JPEG", exif=exif, quality=95)
    upright = converted(data)
    assert upright.size == (64, 48)
    assert_colours(upright, RED, GREEN, BLUE, WHITE)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_other_formats(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    assert_colours(converted(encoded(quarters(), kind, **options)), RED, GREEN, BLUE, WHITE)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "I;16"])
def test_other_modes_as_png(mode):
    data = encoded(Image.new("L", (20, 20), 255).convert(mode) if mode != "I;16" else grey16(65535), "PNG")
    assert_colours(converted(data), WHITE, WHITE, WHITE, WHITE, tolerance=0)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_grey_becomes_rgb(kind):
    assert_colours(converted(encoded(Image.new("L", (20, 20), 77), kind)), *[(77, 77, 77)] * 4, tolerance=1)


def test_cmyk_jpeg():
    assert_colours(converted(encoded(quarters("CMYK"), "JPEG", quality=95)), RED, GREEN, BLUE, WHITE, tolerance=8)


@pytest.mark.parametrize(("alpha", "expected"), [(0, WHITE), (128, (255, 127, 127)), (255, RED)])
def test_alpha_is_laid_over_white(alpha, expected):
    data = encoded(Image.new("RGBA", (20, 20), (*RED, alpha)), "PNG")
    assert_colours(converted(data), *[expected] * 4, tolerance=2)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_colour_is_laid_over_white(kind):
    image = Image.new("P", (20, 20), 1)
    image.putpalette([0, 0, 0, *BLUE])
    image.paste(0, (0, 0, 10, 20))
    assert_colours(converted(encoded(image, kind, transparency=0)), WHITE, BLUE, WHITE, BLUE)


def grey16(value: int) -> Image.Image:
    return Image.fromarray(np.full((20, 20), value, dtype=np.uint16))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize(
    ("value", "expected"), [(0, 0), (128, 0), (129, 1), (257 * 100, 100), (40_000, 156), (65_535, 255)]
)
def test_16_bit_grey_is_scaled(kind, value, expected):
    assert_colours(converted(encoded(grey16(value), kind)), *[(expected,) * 3] * 4, tolerance=0)


@pytest.mark.parametrize("pixels", [np.int32, np.float32])
def test_pixels_without_a_known_range_are_corrupt(pixels):
    data = encoded(Image.fromarray(np.ones((20, 20), dtype=pixels)), "TIFF")
    assert problem_of(data) == "corrupt"


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_an_animation_the_first_frame(kind):
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert Image.open(io.BytesIO(data)).n_frames == 3
    assert_colours(converted(data), RED, RED, RED, RED)


def test_metadata_of_what_is_written_anew_is_gone():
    exif = Image.Exif()
    exif[0x010E] = "name of a patient"
    options = {"exif": exif, "icc_profile": b"profile", "comment": b"name of a patient"}
    jpeg = read_picture(encoded(quarters("L"), "JPEG", **options), LIMITS, quality=95).jpeg
    assert b"patient" not in jpeg
    assert b"profile" not in jpeg


def test_quality_is_what_was_asked_for():
    data = encoded(Image.effect_noise((100, 100), 60), "PNG")
    sizes = [len(read_picture(data, LIMITS, quality=quality).jpeg) for quality in (30, 60, 95)]
    assert sizes == sorted(set(sizes))


def problem_of(data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(UnusableError) as caught:
        read_picture(data, limits, quality=95)
    assert " at 0x" not in str(caught.value), "an address in memory differs from run to run"
    return caught.value.problem


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_pictures_are_corrupt(kind, share):
    image = Image.effect_noise((100, 100), 60).convert("RGB")
    data = encoded(image, kind)
    assert problem_of(data[: int(len(data) * share)]) == "corrupt"


@pytest.mark.parametrize("share", [0.5, 0.6, 0.99])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}])
def test_a_jpeg_that_was_cut_is_corrupt_although_it_ends_as_it_should(share, mode, options):
    data = encoded(scene(1).convert(mode), "JPEG", **options)
    assert read_picture(data, LIMITS, quality=95).converted == (mode != "RGB")
    assert problem_of(data[: int(len(data) * share)] + b"\xff\xd9") == "corrupt"


def test_a_png_whose_checksums_are_wrong_is_corrupt():
    data = bytearray(encoded(scene(1), "PNG"))
    data[-14] ^= 1
    Image.open(io.BytesIO(data)).load()
    assert problem_of(bytes(data)) == "corrupt"


@pytest.mark.parametrize("transform", [0, 2])
def test_a_cmyk_jpeg_may_be_inverted_or_ycck(transform):
    data = bytearray(encoded(scene(1).convert("CMYK"), "JPEG"))
    data[data.index(b"Adobe") + 11] = transform
    converted(bytes(data))


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG"])
def test_what_follows_a_picture_does_not_matter(kind):
    options = {"save_all": True, "append_images": [scene(2)]} if kind == "MPO" else {}
    data = encoded(scene(1), kind, **options)
    size = (300, 200)
    assert [
        (picture.width, picture.height)
        for picture in (read_picture(data + more, LIMITS, quality=95) for more in (b"", b"\0" * 9, b"junk"))
    ] == [size] * 3


@settings(max_examples=examples(200))
@given(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"]), st.data())
def test_a_damaged_picture_is_read_or_refused(kind, draw):
    data = bytearray(encoded(scene(1).resize((40, 30)), kind))
    for place in draw.draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=3)):
        data[place] = draw.draw(st.integers(0, 255))
    try:
        picture = read_picture(bytes(data), LIMITS, quality=95)
    except UnusableError as error:
        assert error.problem in ("corrupt", "oversized")
    else:
        assert Image.open(io.BytesIO(picture.jpeg)).size == (picture.width, picture.height)


@pytest.mark.parametrize(
    ("brightest", "scale", "expected"),
    [(4095, "full", 16), (4095, "observed", 255), (2048, "observed", 128), (200, "observed", 200), (0, "observed", 0)],
)
def test_narrow_16_bit_grey_is_scaled_as_asked_for(brightest, scale, expected):
    picture = read_picture(encoded(grey16(brightest), "PNG"), LIMITS, quality=95, scale=scale)
    assert picture.narrow
    assert Image.open(io.BytesIO(picture.jpeg)).getpixel((9, 9)) == (expected,) * 3


def test_narrow_16_bit_grey_is_refused_where_no_scale_is_named():
    with pytest.raises(UnusableError, match="16-bit grey of which 12 bits are in use") as caught:
        read_picture(encoded(grey16(4095), "PNG"), LIMITS, quality=95, scale=None)
    assert caught.value.problem == "narrow"


@pytest.mark.parametrize("scale", ["full", "observed", None])
@pytest.mark.parametrize("value", [2**14, 65_535])
def test_16_bit_grey_that_is_not_narrow_is_on_the_full_scale(value, scale):
    picture = read_picture(encoded(grey16(value), "PNG"), LIMITS, quality=95, scale=scale)
    assert not picture.narrow
    assert Image.open(io.BytesIO(picture.jpeg)).getpixel((9, 9)) == ((value + 128) // 257,) * 3


@pytest.mark.parametrize(
    "data",
    [
        b"not a picture",
        b"\xff\xd8\xff",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        encoded(quarters(), "PPM"),
    ],
)
def test_what_is_no_picture_in_a_known_format_is_corrupt(data):
    assert problem_of(data) == "corrupt"


def test_no_bytes():
    assert problem_of(b"") == "empty_files"


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds next to nothing: decoding it would be noticed as corrupt."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(1_001, 1_000), (2_001, 1), (5_000, 5_000), (100_000, 100_000)])
def test_oversized_pictures_and_bombs_are_refused_by_their_header(size):
    assert problem_of(png_header(*size)) == "oversized"


def test_bytes_beyond_the_limit():
    data = encoded(quarters(), "JPEG")
    assert problem_of(data, Limits(len(data) - 1, 10**6, 10**6)) == "oversized"
    assert read_picture(data, Limits(len(data), 64 * 48, 64), quality=95).jpeg == data


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20), st.integers(0, 64))
def test_near_pairs_are_those_of_two_loops(values, max_distance):
    expected = [
        (i, j, distance)
        for i, a in enumerate(values)
        for j, b in enumerate(values)
        if i < j and (distance := (a ^ b).bit_count()) <= max_distance
    ]
    assert pairs_of(values, max_distance) == expected


def pairs_of(values: list[int], max_distance: int) -> list[tuple[int, int, int]]:
    blocks = near_pairs(np.array(values, dtype=np.uint64), max_distance)
    return [tuple(map(int, pair)) for block in blocks for pair in zip(*block, strict=True)]


def test_near_pairs_do_not_depend_on_blocks(monkeypatch):
    values = [number * 0x9E3779B97F4A7C15 % 2**64 for number in range(200)]
    whole = pairs_of(values, 22)
    monkeypatch.setattr("registry.formats.images.BLOCK", 1_000)
    assert pairs_of(values, 22) == whole
    assert len(whole) > 100


def test_copies_look_alike_and_others_do_not():
    original = scene(1)
    copies = [
        encoded(original, "JPEG", quality=30),
        encoded(original.resize((150, 100)), "PNG"),
        encoded(ImageOps.grayscale(original), "PNG"),
    ]
    looks = [read_picture(data, LIMITS, 95).perceptual_hash for data in (encoded(original, "PNG"), *copies)]
    assert len(pairs_of(looks, 6)) == 6
    other = read_picture(encoded(scene(2), "PNG"), LIMITS, 95).perceptual_hash
    assert all((other ^ look).bit_count() > 12 for look in looks)


def scene(seed: int) -> Image.Image:
    """A smooth random picture, 300x200."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((300, 200), Image.Resampling.BICUBIC)
