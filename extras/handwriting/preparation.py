"""Pictures of digits, prepared the way MNIST was, so that the network sees what it has learnt.

A picture may be of any size and colour, dark on light or light on dark, on uneven paper. Ink is
what is narrower than its surroundings and differs from them; ink that hangs together is a piece,
and pieces make digits. MNIST's own preparation [1]_ follows: scaled to fit 20 x 20 with its shape
kept and its edges smooth, centred by mass in 28 x 28. A stroke that is finer or broader than
MNIST's is redrawn, because a fine line would fade away when it is scaled down.

.. [1] Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits.
   http://yann.lecun.com/exdb/mnist/
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

from extras.handwriting.ink import SOLID, Gray, Mask, find_ink

# Pillow reads many more, some by starting other programs. These are pictures, without any help.
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP", "PPM")
# Compared before anything is decoded: 64 million pixels are 256 MB, and as much again at times.
MAX_PIXELS = 64_000_000
# A larger picture is made smaller than this first: a digit has 20 pixels at the end.
MAX_SIDE = 1024
MAX_PIECES = 40
MIN_SHARE = 0.5

SIZE = 28
BOX = 20
# How wide strokes are in MNIST, in pixels of 28 x 28: the first decile, the median, the ninth.
STROKE = (1.7, 2.3, 3.4)

Box = tuple[slice, slice]


class PictureError(Exception):
    """A picture cannot be read, or shows no digit; the message says what is wrong."""


@dataclass(frozen=True)
class Digits:
    """The digits of a picture, line by line and from left to right.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, 784)
        Brightness in [0, 255], ink bright as in MNIST.
    boxes : ndarray of int, shape (n, 4)
        Left, top, right and bottom of each digit, in pixels of the picture that was prepared.
    lines : ndarray of int, shape (n,)
        The line that each digit stands on, from 0.
    """

    images: NDArray[np.uint8]
    boxes: NDArray[np.int_]
    lines: NDArray[np.int_]


def decode(file: BinaryIO) -> tuple[Gray, float]:
    """Decode a picture, whatever its format, depth, colours and EXIF orientation.

    Parameters
    ----------
    file
        One of `FORMATS`, open for reading bytes. Of several frames the first is used.

    Returns
    -------
    pixels : ndarray of float32, shape (rows, columns, channels)
        Values in [0, 255], no side longer than `MAX_SIDE`. Where there is transparency, it is a
        channel like the colours, and the colours fade with it.
    scale : float
        How many pixels of the file's width are one of these.

    Raises
    ------
    PictureError
        If it is none of `FORMATS`, larger than `MAX_PIXELS`, or damaged.
    """
    try:
        # Pillow warns about odd metadata, which does not matter here, and about large pictures.
        with warnings.catch_warnings(action="ignore"), Image.open(file, "r", FORMATS) as picture:
            columns, rows = picture.size
            if columns * rows <= MAX_PIXELS:
                picture.draft(None, (MAX_SIDE, MAX_SIDE))
                small = _reduced(picture)
                return _channels(ImageOps.exif_transpose(small)), columns / small.width
    except UnidentifiedImageError:
        raise PictureError(f"not a picture in a known format ({', '.join(FORMATS)})") from None
    except Image.DecompressionBombError:
        columns, rows = 0, 0
    except Exception as error:  # noqa: BLE001 - a damaged file makes Pillow raise almost anything
        raise PictureError(f"damaged: {error or type(error).__name__}") from None
    size = f"{columns} x {rows} is more" if rows else "more"
    raise PictureError(f"{size} than the {MAX_PIXELS / 1e6:.0f} million pixels allowed")


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


def prepare(picture: Gray) -> Digits:
    """Find the digits of a picture and make of each an image like those of MNIST.

    Parts that stand above one another are one digit, and so is a small part with the digit that
    is nearest to it. Digits that touch are not separated.

    Parameters
    ----------
    picture : ndarray of float32, shape (rows, columns, channels)
        Values in [0, 255]; lines of digits on plain paper.

    Raises
    ------
    PictureError
        If there is no ink, or it is not one or more lines of digits.
    """
    ink = find_ink(picture)
    if ink is None:
        raise PictureError("no ink found: nothing stands out from the paper")
    strength, mask = ink
    pieces = _pieces(mask)
    boxes = {label: box for label, box in enumerate(ndimage.find_objects(pieces), 1) if box}
    lines = _lines(pieces, boxes)
    read = np.count_nonzero(np.isin(pieces, [i for line in lines for digit in line for i in digit]))
    if read < MIN_SHARE * np.count_nonzero(mask):
        raise PictureError("no digit found: most of what stands out from the paper is something else")
    images, corners = [], []
    for digit in (digit for line in lines for digit in line):
        rows, columns = (_union(boxes[label][axis] for label in digit) for axis in (0, 1))
        corners.append((columns.start, rows.start, columns.stop, rows.stop))
        # With a margin, because the edge of a stroke is fainter than what counts as ink.
        around = (_widened(rows, 2), _widened(columns, 2))
        own = ndimage.binary_dilation(np.isin(pieces[around], digit), iterations=2)
        images.append(_image(np.where(own, strength[around], np.float32(0))).ravel())
    numbers = [number for number, line in enumerate(lines) for _ in line]
    return Digits(np.stack(images), np.array(corners), np.array(numbers))


def _widened(extent: slice, margin: int) -> slice:
    return slice(max(0, extent.start - margin), extent.stop + margin)


def _union(extents: Iterable[slice]) -> slice:
    extents = list(extents)
    return slice(min(e.start for e in extents), max(e.stop for e in extents))


def _stroke_width(depth: NDArray[np.float64]) -> float:
    """Return the mean width of strokes, from the distance of each of their pixels to paper.

    Across a stroke of width w, the depth rises from 0 to w / 2 and falls again: w / 4 on average.
    """
    return 4 * (float(depth[depth > 0].mean()) - 0.5) + 1


def _pieces(mask: Mask) -> NDArray[np.int32]:
    """Label the ink that hangs together, also across gaps no wider than a stroke; 0 is paper."""
    reach = max(1.0, _stroke_width(ndimage.distance_transform_edt(mask)) / 4)
    joined = ndimage.distance_transform_edt(~mask) <= reach
    return np.where(mask, ndimage.label(joined, np.ones((3, 3)))[0], 0).astype(np.int32)


# What is a digit on its own, of the height of the highest: a lower piece is a part, or a speck.
MIN_HEIGHT, MIN_PART = 0.3, 0.1
# A wider piece is a line, or several digits that touch; of its height.
MAX_WIDTH = 2.0
# A broader stroke is a blot; of the longer side of the piece.
MAX_STROKE = 0.45
# What has more of its outline on the frame is cut off by it, such as the border of a form.
MAX_CUT_OFF = 0.4


def _lines(pieces: NDArray[np.int32], boxes: Mapping[int, Box]) -> list[list[list[int]]]:
    """Put pieces of ink together to digits.

    Returns
    -------
    list
        For each line and each of its digits, from left to right, the labels of its pieces.
    """
    boxes = _without_specks(boxes)
    if len(boxes) > MAX_PIECES:
        raise PictureError(f"{len(boxes)} pieces of ink are not lines of digits")
    boxes = _without_specks({i: b for i, b in boxes.items() if _may_be_digit(pieces == i, b)})
    height = max(map(_height, boxes.values()), default=0)
    whole = [i for i, box in boxes.items() if _height(box) >= MIN_HEIGHT * height]
    lines: list[list[int]] = []
    for i in sorted(whole, key=lambda i: boxes[i][0].start):
        if lines and boxes[i][0].start < max(boxes[j][0].stop for j in lines[-1]) + height / 8:
            lines[-1].append(i)
        else:
            lines.append([i])
    digits = [_digits_of_line(line, boxes) for line in lines]
    flat = [(digit, [*digit]) for line in digits for digit in line]
    if not flat:
        raise PictureError("no digit found: what stands out from the paper is no stroke of a pen")
    for i in boxes.keys() - set(whole):
        gaps = [min(_gap(boxes[i], boxes[j]) for j in core) for _, core in flat]
        if min(gaps) < height / 4 and _width(boxes[i]) <= height:
            flat[gaps.index(min(gaps))][0].append(i)
    return digits


def _digits_of_line(line: list[int], boxes: Mapping[int, Box]) -> list[list[int]]:
    digits: list[list[int]] = []
    for i in sorted(line, key=lambda i: boxes[i][1].start):
        if digits and any(_overlap(boxes[i][1], boxes[j][1]) > 0.4 for j in digits[-1]):
            digits[-1].append(i)
        elif _width(boxes[i]) <= MAX_WIDTH * _height(boxes[i]):
            digits.append([i])
    return digits


def _without_specks(boxes: Mapping[int, Box]) -> dict[int, Box]:
    sizes = {i: max(_height(box), _width(box)) for i, box in boxes.items()}
    highest = max(map(_height, boxes.values()), default=0)
    return {i: box for i, box in boxes.items() if sizes[i] > highest * MIN_PART}


def _may_be_digit(piece: Mask, box: Box) -> bool:
    """Return whether a piece is drawn by a pen, and neither a blot nor cut off by the frame."""
    frame = np.ones_like(piece)
    frame[1:-1, 1:-1] = False
    # With a margin of paper, except where the picture ends: there a stroke may go on.
    around = (_widened(box[0], 1), _widened(box[1], 1))
    piece, frame = piece[around], frame[around]
    outline = piece & ~ndimage.binary_erosion(piece, border_value=1)
    cut = np.count_nonzero(piece & frame)
    if cut > MAX_CUT_OFF * (cut + np.count_nonzero(outline)):
        return False
    depth = ndimage.distance_transform_edt(piece)
    return _stroke_width(depth) <= MAX_STROKE * max(piece.shape)


def _height(box: Box) -> int:
    return int(box[0].stop - box[0].start)


def _width(box: Box) -> int:
    return int(box[1].stop - box[1].start)


def _overlap(first: slice, second: slice) -> float:
    """Return the length that two ranges share, of the shorter one; negative if they are apart."""
    shared = min(first.stop, second.stop) - max(first.start, second.start)
    return float(shared / min(first.stop - first.start, second.stop - second.start))


def _gap(first: Box, second: Box) -> float:
    """Return the distance between two boxes, in pixels; 0 where they overlap."""
    return math.hypot(
        *(
            max(0, one.start - other.stop, other.start - one.stop)
            for one, other in zip(first, second, strict=True)
        )
    )


# Strokes are measured and edges are smoothed at no fewer pixels than this for one of MNIST's.
FINENESS = 8
# A digit of no more pixels has the soft edges of MNIST's already.
SMALL = 32
# What is fainter is not counted when a digit is cut out.
EDGE = 0.05


def _image(ink: Gray) -> NDArray[np.uint8]:
    """Return an image of 28 x 28 of one digit that has been cut out."""
    zoom = max(1.0, FINENESS * BOX / max(ink.shape))
    rows, columns = (math.ceil(side * zoom) for side in ink.shape)
    large = np.asarray(Image.fromarray(ink).resize((columns, rows), Image.Resampling.BICUBIC))
    # A digit fainter than its neighbours has no solid ink but its own.
    inside = np.pad(large > min(SOLID, float(large.max()) / 2), max(large.shape) // BOX * 3)
    depth = ndimage.distance_transform_edt(inside)
    stroke = _stroke_width(depth) / max(large.shape) * BOX
    if max(ink.shape) > SMALL or not STROKE[0] <= stroke <= STROKE[-1]:
        ink = _redrawn(inside, depth, max(large.shape))
    rows, columns = (np.flatnonzero((ink > EDGE).any(axis=axis)) for axis in (1, 0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(cut.shape)
    height, width = (max(1, round(side * scale)) for side in cut.shape)
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    return _centred(np.asarray(Image.fromarray(cut).resize((width, height), how)).clip(0, 1))


def _redrawn(inside: Mask, depth: NDArray[np.float64], side: int) -> Gray:
    """Move the outline of a digit out or in until its stroke is as wide as MNIST's are."""
    stroke = _stroke_width(depth)
    least, usual, most = (width * side / BOX for width in STROKE)
    target = usual if stroke < least else min(stroke, most)
    # The digit grows with its stroke, and is scaled down to the same 20 pixels after that.
    # A blot is never thinned until nothing is left of it.
    move = max((target - stroke) / (2 * (1 - target / side)), 1 - float(depth.max()))
    outline = depth - ndimage.distance_transform_edt(~inside)
    return np.asarray(np.clip(outline + move + 0.5, 0, 1), np.float32)


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
