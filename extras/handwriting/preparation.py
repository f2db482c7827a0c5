"""Pictures of digits, prepared the way MNIST was, so that the network sees what it has learnt.

A picture may be of any size and colour, dark on light or light on dark, on uneven paper. What
differs from the paper is ink; ink that hangs together is a digit. MNIST's own preparation [1]_
follows: scaled to fit 20 x 20 with its shape kept and its edges smooth, centred by mass in
28 x 28. Between the two the stroke is made as wide as MNIST's are, because a thin line would fade
away when it is scaled down.

.. [1] Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits.
   http://yann.lecun.com/exdb/mnist/
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import reduce
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

# Pillow reads many more, some by starting other programs. These are pictures, and it alone.
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP", "PPM")
# Looked at before anything is decoded: 64 million pixels are 256 MB, and as much again at times.
MAX_PIXELS = 64_000_000
# A larger picture is made smaller than this first: a digit has 20 pixels at the end.
MAX_SIDE = 1024
MAX_DIGITS = 32

SIZE = 28
BOX = 20
# How wide strokes are in MNIST, in pixels of 28 x 28: its 1st decile, its median, its 9th decile.
STROKE = (1.7, 2.3, 3.4)

Gray = NDArray[np.float32]


class PictureError(Exception):
    """A picture cannot be read, or has nothing to read in it; the message says what is wrong."""


def decode(file: BinaryIO) -> Gray:
    """Read a picture, whatever its format, depth, colours and EXIF orientation.

    Parameters
    ----------
    file
        One of `FORMATS`, open for reading bytes. Of several frames the first is read.

    Returns
    -------
    ndarray of float32, shape (rows, columns, channels)
        Values in [0, 255], no side longer than `MAX_SIDE`. Where there is transparency, it is a
        channel like the colours, and the colours fade with it.

    Raises
    ------
    PictureError
        If it is none of `FORMATS`, larger than `MAX_PIXELS`, or damaged.
    """
    try:
        # Pillow warns of odd metadata, which is none of our business, and of large pictures.
        with warnings.catch_warnings(action="ignore"), Image.open(file, "r", FORMATS) as opened:
            _check_size(*opened.size)
            opened.draft(None, (MAX_SIDE, MAX_SIDE))
            return _channels(ImageOps.exif_transpose(_reduced(opened)))
    except PictureError:
        raise
    except Image.DecompressionBombError:
        raise PictureError(f"more than the {MAX_PIXELS / 1e6:.0f} million pixels allowed") from None
    except UnidentifiedImageError:
        raise PictureError(f"not a picture in a known format ({', '.join(FORMATS)})") from None
    except Exception as error:  # noqa: BLE001 - a damaged file makes Pillow raise almost anything
        raise PictureError(f"damaged: {error or type(error).__name__}") from None


def _check_size(columns: int, rows: int) -> None:
    if columns * rows > MAX_PIXELS:
        raise PictureError(
            f"{columns} x {rows} is more than the {MAX_PIXELS / 1e6:.0f} million pixels allowed"
        )


def _reduced(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        mode = "F"
    else:
        mode = "RGBA" if picture.has_transparency_data else "RGB"
    if picture.mode != mode:
        picture = picture.convert(mode)
    factor = math.ceil(max(picture.size) / MAX_SIDE)
    return picture.reduce(factor) if factor > 1 else picture


def _channels(picture: Image.Image) -> Gray:
    if picture.mode == "F":
        # 16 bits a pixel or more: brightness counts from the darkest to the lightest there is.
        values = np.nan_to_num(np.asarray(picture, np.float32)[:, :, np.newaxis])
        darkest, lightest = float(values.min()), float(values.max())
        return (values - darkest) * np.float32(255 / max(lightest - darkest, 1.0))
    if picture.mode == "RGBA":
        picture = picture.convert("RGBa")
    return np.asarray(picture, np.float32)


def digits(picture: Gray) -> NDArray[np.uint8]:
    """Find the digits of a picture and make of each an image like those of MNIST.

    Parts that stand above one another are one digit, and so is a part less than half as high as
    the digits with the digit that is nearest to it. Digits that touch are not separated.

    Parameters
    ----------
    picture : ndarray of float32, shape (rows, columns, channels)
        Values in [0, 255]; one line of digits on plain paper.

    Returns
    -------
    ndarray of uint8, shape (n, 784)
        Brightness in [0, 255], ink bright as in MNIST; from left to right.

    Raises
    ------
    PictureError
        If there is no ink, or more pieces than a line of digits can have.
    """
    ink = _ink(picture)
    pieces, _ = ndimage.label(ink > FAINT, np.ones((3, 3)))
    groups = _group(ndimage.find_objects(pieces))
    images = []
    for group in groups:
        boxes = ndimage.find_objects(np.isin(pieces, group).astype(np.int8))
        part = np.where(np.isin(pieces[boxes[0]], group), ink[boxes[0]], 0)
        images.append(_image(part.astype(np.float32)).ravel())
    return np.stack(images)


# Of the contrast of all ink: what counts as ink, and what may still hang together.
SOLID, FAINT = 0.5, 0.25
# The least contrast of ink, in steps of brightness, and as a multiple of the paper's own noise.
MIN_CONTRAST = 16.0
MIN_NOISE_RATIO = 12.0
BLURS = (0.0, 1.0, 2.0, 4.0)


def _ink(picture: Gray) -> Gray:
    """Say how much each pixel differs from the paper: 0 is paper, 1 is ink, shape (rows, columns).

    Differing in any channel and in either direction is differing. Noise is blurred away, only
    as far as needed.
    """
    difference = picture - _paper(picture)
    for blur in BLURS:
        smooth = ndimage.gaussian_filter(difference, (blur, blur, 0)) if blur else difference
        strength = _largest(smooth)
        level = _threshold(strength)
        ink, paper = strength[strength > level], strength[strength <= level]
        if not (ink.size and paper.size):
            break
        # The median of what is left of level, over that of a normal distribution.
        noise = float(np.median(paper)) / 0.6745
        contrast = float(ink.mean())
        if contrast >= MIN_CONTRAST and contrast >= MIN_NOISE_RATIO * noise:
            return np.asarray(np.minimum(strength / contrast, 1), np.float32)
    raise PictureError("no ink found: nothing stands out from the paper")


def _largest(difference: NDArray[Any]) -> NDArray[Any]:
    """Give the largest of the channels' differences; faster than `max` along so short an axis."""
    return np.asarray(reduce(np.maximum, np.moveaxis(np.abs(difference), -1, 0)))


def _threshold(values: NDArray[np.floating[Any]]) -> float:
    """Put a level midway between the mean below it and the mean above it (Ridler and Calvard).

    It starts half way up and only comes down, so that little ink on much paper is found as well.
    """
    level = float(values.max()) / 2
    for _ in range(32):
        above = values > level
        if above.all() or not above.any():
            break
        middle = (float(values[above].mean()) + float(values[~above].mean())) / 2
        if abs(middle - level) < 0.25:
            break
        level = middle
    return level


def _paper(picture: Gray) -> Gray:
    """Estimate the paper, also below the ink: each channel a surface of the second degree.

    It is fitted to a few thousand pixels, first to the frame and then to whatever is not ink.
    """
    rows, columns, channels = picture.shape
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, np.newaxis, np.newaxis]
    x = np.linspace(-1, 1, columns, dtype=np.float32)[np.newaxis, :, np.newaxis]
    step = max(1, math.isqrt(rows * columns // 2048))
    some = (slice(None, None, step), slice(None, None, step))
    values = picture[some].reshape(-1, channels).astype(np.float64)
    at_x, at_y = (
        np.broadcast_to(axis, (rows, columns, 1))[some].ravel().astype(np.float64)
        for axis in (x, y)
    )
    terms = np.stack([at_x**0, at_x, at_y, at_x**2, at_x * at_y, at_y**2], axis=1)
    frame = np.maximum(np.abs(at_x), np.abs(at_y)) > 0.9
    estimate = np.broadcast_to(np.median(values[frame], axis=0), values.shape)
    surface = np.zeros((terms.shape[1], channels))
    for degree in (1, 1, 2, 2, 2, 2):
        strength = _largest(values - estimate)
        plain = strength <= max(_threshold(strength), MIN_CONTRAST / 2)
        used = terms[plain, : (degree + 1) * (degree + 2) // 2]
        # The normal equations, for they are 6 at most; a picture one pixel high makes some of
        # them equal, which this solves as well.
        fitted = np.linalg.lstsq(used.T @ used, used.T @ values[plain], rcond=1e-9)[0]
        # Rounded, because processors differ in the last digits of such a solution.
        surface[: len(fitted)] = fitted.round(3)
        estimate = terms @ surface
    one, of_x, of_y, of_xx, of_xy, of_yy = surface.astype(np.float32)
    paper = (one + of_x * x + of_xx * x * x) + y * (of_y + of_xy * x) + of_yy * y * y
    return np.asarray(paper, np.float32)


def _group(boxes: Sequence[tuple[slice, slice]]) -> list[list[int]]:
    """Put pieces of ink together to digits.

    Returns
    -------
    list
        For each digit, from left to right, the labels of its pieces.
    """
    heights = [rows.stop - rows.start for rows, _ in boxes]
    widths = [columns.stop - columns.start for _, columns in boxes]
    line = max(heights)
    large = [i for i, height in enumerate(heights) if height >= line / 2]
    groups: list[list[int]] = []
    for i in sorted(large, key=lambda i: boxes[i][1].start):
        if groups and any(_overlap(boxes[i][1], boxes[j][1]) > 0.4 for j in groups[-1]):
            groups[-1].append(i)
        else:
            groups.append([i])
    if len(groups) > MAX_DIGITS:
        raise PictureError(f"{len(groups)} pieces of ink are not a line of digits")
    whole = [list(group) for group in groups]
    for i in sorted(set(range(len(boxes))) - set(large)):
        # Smaller is a speck, and wider is a line below the digits.
        if not line / 12 < max(heights[i], widths[i]) <= line:
            continue
        gaps = [min(_gap(boxes[i], boxes[j]) for j in group) for group in whole]
        if min(gaps) < line / 4:
            groups[gaps.index(min(gaps))].append(i)
    return [[i + 1 for i in group] for group in groups]


def _overlap(first: slice, second: slice) -> float:
    """Give the length that two ranges share, of the shorter one; negative if they are apart."""
    shared = min(first.stop, second.stop) - max(first.start, second.start)
    return float(shared / min(first.stop - first.start, second.stop - second.start))


def _gap(first: tuple[slice, slice], second: tuple[slice, slice]) -> float:
    """Give the distance between two boxes, in pixels; 0 where they overlap."""
    return math.hypot(
        *(
            max(0, one.start - other.stop, other.start - one.stop)
            for one, other in zip(first, second, strict=True)
        )
    )


# Strokes are measured and edges are smoothed at no fewer pixels than this for one of MNIST's.
FINENESS = 8


def _image(ink: Gray) -> NDArray[np.uint8]:
    """Make an image of 28 x 28 of one digit that has been cut out."""
    zoom = max(1.0, FINENESS * BOX / max(ink.shape))
    rows, columns = (math.ceil(side * zoom) for side in ink.shape)
    large = Image.fromarray(ink).resize((columns, rows), Image.Resampling.BICUBIC)
    cut = _cut(_with_mnist_stroke(np.asarray(large)))
    scale = BOX / max(cut.shape)
    rows, columns = (max(1, round(side * scale)) for side in cut.shape)
    small = Image.fromarray(cut).resize((columns, rows), Image.Resampling.BOX)
    return _centred(np.asarray(small))


def _with_mnist_stroke(ink: Gray) -> Gray:
    """Move the outline of a digit out or in until its stroke is as wide as MNIST's are."""
    margin = max(ink.shape) // BOX * 3
    # A digit fainter than its neighbours has no solid ink but its own.
    inside = np.pad(ink, margin) > min(SOLID, float(ink.max()) / 2)
    depth = ndimage.distance_transform_edt(inside)
    outline = depth - ndimage.distance_transform_edt(~inside)
    # Across a stroke of width w, the depth rises from 0 to w / 2 and falls again: w / 4 on average.
    stroke = 4 * float((depth[inside] - 0.5).mean()) + 1
    long = max(ink.shape)
    least, usual, most = (width * long / BOX for width in STROKE)
    wanted = usual if stroke < least else min(stroke, most)
    # The digit grows with its stroke, and is scaled down to the same 20 pixels after that.
    # A blot is never thinned until nothing is left of it.
    move = max((wanted - stroke) / (2 * (1 - wanted / long)), 1 - float(depth.max()))
    return np.asarray(np.clip(outline + move + 0.5, 0, 1), np.float32)


def _cut(ink: Gray) -> Gray:
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _centred(ink: Gray) -> NDArray[np.uint8]:
    """Put a digit of at most 20 x 20 into 28 x 28, its mass as near to the middle as can be."""
    image = np.zeros((SIZE, SIZE), np.uint8)
    corner = [
        int(np.clip(round(SIZE / 2 - centre), 0, SIZE - side))
        for centre, side in zip(ndimage.center_of_mass(ink), ink.shape, strict=True)
    ]
    window = tuple(slice(at, at + side) for at, side in zip(corner, ink.shape, strict=True))
    image[window] = (ink * 255).round().astype(np.uint8)
    return image


def sheet(images: NDArray[np.uint8], columns: int = 10, zoom: int = 4) -> bytes:
    """Show images side by side, enlarged.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, 784)
    columns
        How many stand in a row, at most.
    zoom
        The side of a square that stands for a pixel.

    Returns
    -------
    bytes
        A PNG file.
    """
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    paper = np.zeros((rows * columns, SIZE, SIZE), np.uint8)
    paper[: len(images)] = images.reshape(-1, SIZE, SIZE)
    grid = paper.reshape(rows, columns, SIZE, SIZE).swapaxes(1, 2)
    pixels = grid.reshape(rows * SIZE, columns * SIZE).repeat(zoom, 0).repeat(zoom, 1)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
