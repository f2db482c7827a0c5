import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from extras.handwriting.pictures import FORMATS, PictureError, decode
from extras.handwriting.preparation import prepare

# A 7, a 5 whose bar is apart, and a 1, on paper of 100 x 100.
SEVEN = [[(28, 20), (70, 18), (46, 84)]]
FIVE = [[(36, 26), (34, 48), (52, 44), (66, 60), (56, 82), (32, 82)], [(42, 14), (70, 12)]]
ONE = [[(40, 24), (50, 10), (50, 90)]]


def ink(*digits: list[list[tuple[int, int]]], side: int = 200, width: float = 9) -> Image.Image:
    """Draw digits side by side as light lines on black, smooth at the edges."""
    fine = 4
    sheet = Image.new("L", (side * fine * len(digits), side * fine))
    pencil = ImageDraw.Draw(sheet)
    for place, strokes in enumerate(digits):
        for stroke in strokes:
            points = [((x / 100 + place) * side * fine, y / 100 * side * fine) for x, y in stroke]
            radius = width / 100 * side * fine / 2
            pencil.line(points, 255, round(2 * radius))
            for x, y in points:
                pencil.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    return sheet.reduce(fine)


def prepared(picture: Image.Image, form: str = "PNG", **options: object) -> NDArray[np.uint8]:
    """Prepare a picture as it comes from a file."""
    file = BytesIO()
    picture.save(file, form, **options)
    file.seek(0)
    return prepare(decode(file)[0]).images


def on_paper(paper: tuple[int, int, int], colour: tuple[int, int, int]) -> Image.Image:
    """Draw the 7 in ink of one colour on paper of another."""
    drawn = ink(SEVEN)
    sheet = Image.new("RGB", drawn.size, paper)
    sheet.paste(colour, mask=drawn)
    return sheet


def transparent(colour: str) -> Image.Image:
    """Draw the 7 in ink of a colour on nothing."""
    picture = Image.new("RGBA", (200, 200), colour)
    picture.putalpha(ink(SEVEN))
    return picture


def placed(left: int, top: int) -> Image.Image:
    """Draw the 7 somewhere on a larger sheet."""
    sheet = Image.new("L", (520, 460))
    sheet.paste(ink(SEVEN), (left, top))
    return sheet


def faint(contrast: int, paper: int) -> Image.Image:
    """Draw the 7 with little ink on white or on black."""
    return ink(SEVEN).point(lambda value: abs(paper - contrast * value // 255))


def lit(light: NDArray[np.float64], noise: float = 0) -> Image.Image:
    """Draw the 7 on paper on which the light is uneven, and which has a grain."""
    values = np.asarray(on_paper((230, 225, 210), (60, 60, 90)), np.float64)
    grain = np.random.default_rng(1).normal(0, noise, values.shape)
    return Image.fromarray(np.clip(values * light[:, :, np.newaxis] + grain, 0, 255).astype("u1"))


def framed() -> Image.Image:
    """Draw the 7 beside the border of a form."""
    picture = ink(SEVEN)
    ImageDraw.Draw(picture).line((198, 0, 198, 198, 0, 198), 255, 3)
    return picture


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the mean difference of two images, in steps of brightness."""
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


EXPECTED = prepared(ink(SEVEN))
Y, X = np.mgrid[-1:1:200j, -1:1:200j]


def test_image_is_made_as_mnist_was() -> None:
    """A digit fills 20 pixels on its longer side, and its mass is in the middle of 28."""
    (image,) = EXPECTED.reshape(-1, 28, 28)
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    assert rows[-1] - rows[0] + 1 == 20
    assert columns[-1] - columns[0] + 1 < 20
    assert ndimage.center_of_mass(image) == pytest.approx((14, 14), abs=0.5)
    assert image.max() == 255


def test_test_image_stays_what_it_is() -> None:
    """What has been prepared already is hardly changed by being prepared again.

    It may move by a pixel, where its centre is midway between two.
    """
    again = prepared(Image.fromarray(EXPECTED.reshape(28, 28))).reshape(28, 28)
    moved = [np.roll(again, (y, x), axis=(0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    assert min(difference(EXPECTED.reshape(28, 28), image) for image in moved) < 5


@pytest.mark.parametrize(
    ("picture", "most"),
    [
        pytest.param(on_paper((255, 255, 255), (0, 0, 0)), 2, id="dark on light"),
        pytest.param(on_paper((240, 230, 210), (120, 110, 130)), 2, id="pale"),
        pytest.param(on_paper((20, 60, 30), (240, 240, 220)), 2, id="light on dark"),
        pytest.param(on_paper((255, 0, 0), (0, 130, 0)), 2, id="of one brightness"),
        pytest.param(transparent("black"), 2, id="black on nothing"),
        pytest.param(transparent("white"), 2, id="white on nothing"),
        pytest.param(transparent("red"), 2, id="red on nothing"),
        pytest.param(faint(10, 255), 4, id="ten steps from white"),
        pytest.param(faint(90, 0), 4, id="a third of white on black"),
        pytest.param(ink(SEVEN, side=40), 4, id="small"),
        pytest.param(ink(SEVEN, side=1500), 4, id="larger than the working size"),
        pytest.param(placed(0, 0), 2, id="in a corner"),
        pytest.param(placed(150, 250), 2, id="on the lower edge"),
        pytest.param(lit(0.8 + 0.15 * X - 0.1 * (X * X + Y * Y), 8), 6, id="dark corners, grain"),
        pytest.param(lit(1 - 0.33 * (X > 0.1)), 6, id="across the edge of a shadow"),
        pytest.param(framed(), 2, id="beside the border of a form"),
        pytest.param(ink(SEVEN).filter(ImageFilter.GaussianBlur(6)), 8, id="out of focus"),
    ],
)
def test_picture_of_any_kind_gives_the_same_image(picture: Image.Image, most: float) -> None:
    """Neither colour, size, place, light nor focus matters."""
    assert difference(EXPECTED, prepared(picture)) < most


def test_faint_digit_beside_a_strong_one_is_read() -> None:
    """A digit written with less pressure than its neighbour is prepared as if it were alone."""
    sheet = Image.new("L", (400, 200))
    sheet.paste(ink(SEVEN))
    sheet.paste(ink(FIVE).point(lambda value: 0.4 * value), (200, 0))
    seven, five = prepared(sheet)
    assert difference(EXPECTED, seven) < 2
    assert difference(prepared(ink(FIVE)), five) < 4


@pytest.mark.parametrize("width", [0.5, 2, 25])
def test_fine_and_broad_strokes_become_as_wide_as_in_mnist(width: float) -> None:
    """A hairline does not fade away and a brush does not fill the image."""
    usual = float(np.mean(prepared(ink(SEVEN, side=500))))
    assert np.mean(prepared(ink(SEVEN, side=500, width=width))) == pytest.approx(usual, rel=0.5)


@pytest.mark.parametrize("side", [16, 20, 200])
@pytest.mark.parametrize("width", [9, 14])
def test_digit_that_fills_the_picture_is_read(side: int, width: float) -> None:
    """The paper is found although the ink reaches the frame, dark or light."""
    drawn = ink(SEVEN, width=width)
    cell = drawn.crop(drawn.getbbox()).resize((side, side))
    expected = prepared(cell)
    assert expected.shape == (1, 784)
    assert difference(expected, prepared(cell.point(lambda value: 255 - value))) < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_the_camera_is_undone(orientation: int) -> None:
    """All eight EXIF orientations give the image as it was meant."""
    turn = Image.Transpose
    undo = [turn.FLIP_LEFT_RIGHT, turn.ROTATE_180, turn.FLIP_TOP_BOTTOM, turn.TRANSPOSE]
    undo += [turn.ROTATE_90, turn.TRANSVERSE, turn.ROTATE_270]
    picture = ink(SEVEN)
    if orientation > 1:
        picture = picture.transpose(undo[orientation - 2])
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert difference(EXPECTED, prepared(picture, "JPEG", exif=exif, quality=95)) < 2


def sixteen_bits(picture: Image.Image) -> Image.Image:
    """Return a picture with 65,536 steps of brightness."""
    return Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)


@pytest.mark.parametrize(
    ("form", "convert"),
    [
        ("PNG", lambda picture: picture.convert("1", dither=Image.Dither.NONE)),
        ("PNG", lambda picture: picture.convert("P")),
        ("PNG", lambda picture: picture.convert("LA")),
        ("PNG", sixteen_bits),
        ("TIFF", lambda picture: picture.convert("F")),
        ("TIFF", lambda picture: picture.convert("I")),
        ("TIFF", lambda picture: picture.convert("CMYK")),
        *((form, lambda picture: picture) for form in FORMATS),
    ],
)
def test_any_format_and_depth_gives_the_same_image(
    form: str, convert: Callable[[Image.Image], Image.Image]
) -> None:
    """From one bit a pixel to 32, in every format that is read."""
    assert difference(EXPECTED, prepared(convert(ink(SEVEN)), form)) < 4


def test_several_digits_are_found_from_left_to_right() -> None:
    """Each is what it would have been alone."""
    images = prepared(ink(SEVEN, ONE, FIVE))
    assert len(images) == 3
    for digit, image in zip([SEVEN, ONE, FIVE], images, strict=True):
        assert difference(prepared(ink(digit)), image[np.newaxis]) < 2


def test_lines_are_read_from_top_to_bottom() -> None:
    """Each digit has its line and its box."""
    sheet = Image.new("L", (600, 500))
    sheet.paste(ink(SEVEN, ONE), (0, 0))
    sheet.paste(ink(FIVE), (350, 300))
    digits = prepare(np.asarray(sheet, np.float32)[:, :, np.newaxis])
    assert digits.lines.tolist() == [0, 0, 1]
    assert difference(prepared(ink(FIVE)), digits.images[2:]) < 2
    left, top, right, bottom = digits.boxes[2]
    assert 350 < left < right < 550
    assert 300 < top < bottom < 500


def test_part_that_is_apart_belongs_to_its_digit() -> None:
    """A 5 whose bar does not touch is one digit, with its bar."""
    (image,) = prepared(ink(FIVE)).reshape(-1, 28, 28)
    _, pieces = ndimage.label(image > 100, np.ones((3, 3)))
    assert pieces == 2


def test_small_gap_in_a_stroke_does_not_make_two_digits() -> None:
    """A pixel that is missing in a thin line is filled in."""
    picture = Image.new("L", (28, 28))
    ImageDraw.Draw(picture).line([(8, 5), (20, 5), (12, 24)], 255, 1)
    picture.paste(0, (0, 14, 28, 15))
    assert prepared(picture).shape == (1, 784)


def test_digit_less_than_half_as_high_is_a_digit() -> None:
    """A small 1 that stands apart belongs to no neighbour."""
    sheet = Image.new("L", (400, 200))
    sheet.paste(ink(SEVEN), (0, 0))
    sheet.paste(ink(ONE, side=90), (260, 80))
    assert len(prepared(sheet)) == 2


def test_specks_and_a_line_below_are_left_out() -> None:
    """Neither dust nor an underline is a digit, or a part of one."""
    picture = ink(SEVEN, ONE)
    pencil = ImageDraw.Draw(picture)
    pencil.ellipse((10, 150, 14, 154), 255)
    pencil.line((10, 196, 390, 196), 255, 3)
    images = prepared(picture)
    assert len(images) == 2
    assert difference(EXPECTED, images[:1]) < 2


@pytest.mark.parametrize(
    "values", [np.zeros((1, 1)), 255 * (np.hypot(Y, X) < 0.7)], ids=["pixel", "blot"]
)
def test_what_no_pen_has_drawn_is_refused(values: NDArray[np.float64]) -> None:
    """Neither a plain picture, however small, nor a blot has a digit in it."""
    with pytest.raises(PictureError, match=r"no ink found|no digit found"):
        prepared(Image.fromarray(values.astype(np.uint8)))


def test_too_many_pieces_are_refused() -> None:
    """A page of text is not taken for a number."""
    with pytest.raises(PictureError, match="40 pieces of ink are not lines of digits"):
        prepared(ink(*[ONE] * 40, side=24))


def saved(form: str) -> bytes:
    """Return a small picture as the bytes of a file."""
    file = BytesIO()
    ink(SEVEN, side=64).convert("RGB").save(file, form)
    return file.getvalue()


@pytest.mark.parametrize("content", [b"", b"hello, world\n", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    """Neither nothing, nor text, nor a format that another program would have to read."""
    with pytest.raises(PictureError, match="not a picture in a known format"):
        decode(BytesIO(content))


@pytest.mark.parametrize("form", FORMATS)
def test_truncated_picture_is_refused(form: str) -> None:
    """Half of a file is never taken for the whole."""
    content = saved(form)
    with pytest.raises(PictureError):
        decode(BytesIO(content[: len(content) // 2]))


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_too_large_picture_is_refused_before_it_is_decoded(side: int) -> None:
    """The size in the header is enough: there are no pixels behind it here."""
    header = bytearray(saved("PNG")[:33])
    header[16:24] = side.to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4, "big")
    with pytest.raises(PictureError, match="64 million pixels allowed"):
        decode(BytesIO(bytes(header) + saved("PNG")[33:]))


@settings(deadline=None)
@given(
    form=st.sampled_from(FORMATS),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=9),
)
def test_damaged_picture_never_raises_anything_else(
    form: str, changes: list[tuple[float, int]]
) -> None:
    """Whatever bytes are changed, the answer is an image or one plain error."""
    content = bytearray(saved(form))
    for place, value in changes:
        content[int(place * len(content))] = value
    with suppress(PictureError):
        images = prepare(decode(BytesIO(bytes(content)))[0]).images
        assert images.shape[1:] == (784,)


@settings(deadline=None)
@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    seed=st.integers(0, 99),
    dense=st.floats(0, 1),
)
def test_any_pixels_are_read_or_refused(rows: int, columns: int, seed: int, dense: float) -> None:
    """However few or wild the pixels, the answer is images or one plain error."""
    random = np.random.default_rng(seed)
    picture = (random.random((rows, columns, 3)) < dense).astype(np.float32) * 255
    with suppress(PictureError):
        assert prepare(picture).images.any(axis=1).all()
