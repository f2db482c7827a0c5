from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from extras.handwriting.pictures import FORMATS, PictureError, decode
from extras.handwriting.preparation import prepare

# A 7, a 5 whose bar is apart, and a 1, on paper of 100 x 100.
SEVEN = [[(28, 20), (70, 18), (46, 84)]]
FIVE = [[(36, 26), (34, 48), (52, 44), (66, 60), (56, 82), (32, 82)], [(42, 14), (70, 12)]]
ONE = [[(40, 24), (50, 10), (50, 90)]]
LEFT, RIGHT = (30, 30, 30, 270), (270, 30, 270, 270)
TOP, BOTTOM = (30, 30, 270, 30), (30, 270, 270, 270)
Y, X = np.mgrid[-1:1:200j, -1:1:200j]


def ink(*digits: list[list[tuple[int, int]]], side: int = 200, width: float = 9) -> Image.Image:
    """Draw digits side by side as light lines on black, smooth at the edges."""
    scale = side * 4 / 100
    sheet = Image.new("L", (side * 4 * len(digits), side * 4))
    pencil = ImageDraw.Draw(sheet)
    for place, strokes in enumerate(digits):
        for stroke in strokes:
            points = [((x + 100 * place) * scale, y * scale) for x, y in stroke]
            pencil.line(points, 255, round(width * scale))
            for point in points:
                pencil.circle(point, width / 2 * scale, 255)
    return sheet.reduce(4)


def prepared(picture: Image.Image, form: str = "PNG", **options: object) -> NDArray[np.uint8]:
    """Prepare a picture as it comes from a file."""
    file = BytesIO()
    picture.save(file, form, **options)
    return prepare(decode(file)).images


def on_paper(paper: tuple[int, int, int], colour: tuple[int, int, int]) -> Image.Image:
    """Draw the 7 in ink of one colour on paper of another."""
    sheet = Image.new("RGB", (200, 200), paper)
    sheet.paste(colour, mask=ink(SEVEN))
    return sheet


def transparent(colour: str) -> Image.Image:
    """Draw the 7 in ink of a colour on nothing."""
    picture = Image.new("RGBA", (200, 200), colour)
    picture.putalpha(ink(SEVEN))
    return picture


def lit(light: NDArray[np.float64], noise: float = 0) -> Image.Image:
    """Draw the 7 on paper on which the light is uneven, and which has a grain."""
    values = np.asarray(on_paper((230, 225, 210), (60, 60, 90))) * light[:, :, np.newaxis]
    grain = np.random.default_rng(1).normal(0, noise, values.shape)
    return Image.fromarray(np.clip(values + grain, 0, 255).astype(np.uint8))


def among(*lines: tuple[int, int, int, int]) -> Image.Image:
    """Draw the 7 among lines: left, top, right and bottom of each, in pixels of 300."""
    sheet = Image.new("L", (300, 300))
    sheet.paste(ink(SEVEN), (50, 50))
    for line in lines:
        ImageDraw.Draw(sheet).line(line, 255, 4)
    return sheet


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the mean difference of two images, in steps of brightness."""
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


EXPECTED = prepared(ink(SEVEN))


def test_image_is_made_as_mnist_was() -> None:
    """A digit fills 20 pixels on its longer side, and its mass is in the middle of 28."""
    (image,) = EXPECTED.reshape(-1, 28, 28)
    rows, columns = (np.ptp(np.flatnonzero(image.any(axis=axis))) + 1 for axis in (1, 0))
    assert columns < rows == 20
    assert ndimage.center_of_mass(image) == pytest.approx((14, 14), abs=0.7)
    assert image.max() > 250


@pytest.mark.parametrize(
    ("picture", "most"),
    [
        pytest.param(on_paper((255, 255, 255), (0, 0, 0)), 2, id="dark on light"),
        pytest.param(on_paper((240, 230, 210), (120, 110, 130)), 2, id="pale"),
        pytest.param(on_paper((255, 0, 0), (0, 130, 0)), 2, id="of one brightness"),
        pytest.param(transparent("black"), 2, id="black on nothing"),
        pytest.param(transparent("white"), 2, id="white on nothing"),
        pytest.param(ink(SEVEN).point(lambda value: 255 - 10 * value // 255), 4, id="faint"),
        pytest.param(ink(SEVEN, side=40), 6, id="small"),
        pytest.param(ink(SEVEN, side=1500), 4, id="larger than the working size"),
        pytest.param(lit(0.8 + 0.15 * X - 0.1 * (X * X + Y * Y), 8), 6, id="dark corners, grain"),
        pytest.param(lit(1 - 0.33 * (X > 0.1)), 14, id="across the edge of a shadow"),
        pytest.param(ink(SEVEN).filter(ImageFilter.GaussianBlur(6)), 16, id="out of focus"),
        pytest.param(among(LEFT, RIGHT, TOP, BOTTOM), 3, id="in a box"),
        pytest.param(among(LEFT, BOTTOM, RIGHT), 3, id="in a box without a lid"),
        pytest.param(among((30, 0, 30, 300), (270, 0, 270, 300)), 3, id="in a column"),
        pytest.param(among((0, 30, 300, 30), (0, 270, 300, 270)), 3, id="in a row"),
        pytest.param(among(BOTTOM, (20, 150, 24, 154)), 3, id="underlined, with a speck"),
    ],
)
def test_picture_of_any_kind_gives_the_same_image(picture: Image.Image, most: float) -> None:
    assert difference(EXPECTED, prepared(picture)) < most


@pytest.mark.parametrize("side", [16, 20, 200])
def test_digit_that_reaches_the_edge_is_read_dark_or_light(side: int) -> None:
    drawn = ink(SEVEN)
    cell = drawn.crop(drawn.getbbox()).resize((side, side))
    assert difference(prepared(cell), prepared(cell.point(lambda value: 255 - value))) < 3


@pytest.mark.parametrize(
    ("orientation", "turn"), [(2, "FLIP_LEFT_RIGHT"), (3, "ROTATE_180"), (6, "ROTATE_90")]
)
def test_orientation_of_the_camera_is_undone(orientation: int, turn: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = ink(SEVEN).transpose(Image.Transpose[turn])
    assert difference(EXPECTED, prepared(picture, "JPEG", exif=exif, quality=95)) < 2


@pytest.mark.parametrize(
    ("form", "mode"),
    [*(("PNG", mode) for mode in ("1", "P", "LA", "I;16")), ("TIFF", "F"), ("TIFF", "CMYK")]
    + [(form, "L") for form in FORMATS],
)
def test_any_format_and_depth_gives_the_same_image(form: str, mode: str) -> None:
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(ink(SEVEN)).astype(np.uint16) * 257)
    else:
        picture = ink(SEVEN).convert(mode, dither=Image.Dither.NONE)
    assert difference(EXPECTED, prepared(picture, form)) < 4


def test_digits_are_found_line_by_line_and_from_left_to_right() -> None:
    """Each is what it would have been alone, also if it is fainter, and a 5 has its bar."""
    sheet = Image.new("L", (700, 500))
    sheet.paste(ink(SEVEN, FIVE), (0, 20))
    sheet.paste(ink(ONE, side=90), (450, 80))
    sheet.paste(ink(FIVE).point(lambda value: 0.4 * value), (350, 300))
    digits = prepare(np.asarray(sheet, np.float32)[:, :, np.newaxis])
    assert np.diff(digits.lines).tolist() == [0, 0, 1]
    for digit, image in zip([SEVEN, FIVE, ONE, FIVE], digits.images, strict=True):
        assert difference(prepared(ink(digit)), image[np.newaxis]) < 4


def test_gap_of_a_pixel_does_not_make_two_digits() -> None:
    picture = Image.new("L", (28, 28))
    ImageDraw.Draw(picture).line([(8, 5), (20, 5), (12, 24)], 255, 1)
    picture.paste(0, (0, 14, 28, 15))
    assert prepared(picture).shape == (1, 784)


def outline(side: int) -> NDArray[np.float64]:
    """Return a square of 200 with the outline of a smaller one in it."""
    inner = np.pad(np.zeros((side - 12, side - 12)), 6, constant_values=255)
    return np.pad(inner, (200 - side) // 2)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        pytest.param(np.zeros((1, 1)), "no ink found: nothing stands out", id="pixel"),
        pytest.param(128 * (X + 1), "no ink found: nothing but a border or a s", id="gradient"),
        pytest.param(outline(200), "no ink found: nothing but a border or a s", id="empty frame"),
        pytest.param(np.random.default_rng(1).normal(128, 30, X.shape), "too uneven", id="grain"),
        pytest.param(255 * (X > 0), "no ink found|no digit found", id="edge of a shadow"),
        pytest.param(255 * (np.hypot(X, Y) < 0.7), "no ink found|no digit found", id="blot"),
        pytest.param(255 * (Y % 0.4 < 0.04), "no digit found", id="ruled"),
        pytest.param(
            np.maximum(outline(200), np.asarray(ink(SEVEN))),
            "crop the border away",
            id="in a frame",
        ),
        pytest.param(
            np.asarray(among((298, 0, 298, 298), (0, 298, 298, 298))), "crop", id="at two borders"
        ),
        pytest.param(outline(120), "the outline of a box", id="box"),
        pytest.param(np.asarray(ink(*[ONE] * 40, side=24)), "40 pieces of ink", id="many pieces"),
    ],
)
def test_what_is_no_digit_is_refused_with_what_was_seen(
    values: NDArray[np.float64], problem: str
) -> None:
    with pytest.raises(PictureError, match=problem):
        prepared(Image.fromarray(values.clip(0, 255).astype(np.uint8)))


@pytest.mark.parametrize("content", [b"", b"hello, world\n", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_text_and_formats_that_start_other_programs_are_refused(content: bytes) -> None:
    with pytest.raises(PictureError, match="not a picture in a known format"):
        decode(BytesIO(content))


@pytest.mark.parametrize("form", FORMATS)
def test_damaged_picture_raises_one_plain_error_at_most(form: str) -> None:
    file, random = BytesIO(), np.random.default_rng(1)
    ink(SEVEN, side=64).convert("RGB").save(file, form)
    for length in range(0, len(file.getvalue()), 50):
        content = np.frombuffer(file.getvalue(), np.uint8).copy()
        content[random.integers(len(content), size=5)] = random.integers(256, size=5)
        for damaged in (content, content[:length]):
            with suppress(PictureError):
                assert prepare(decode(BytesIO(damaged.tobytes()))).images.shape[1:] == (784,)


def test_any_pixels_are_read_or_refused() -> None:
    random = np.random.default_rng(1)
    for density in np.linspace(0, 1, 50):
        shape = (*random.integers(1, 40, 2), 3)
        picture = (random.random(shape) < density).astype(np.float32) * 255
        with suppress(PictureError):
            assert prepare(picture).images.any(axis=1).all()
