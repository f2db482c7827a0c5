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
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

from extras.handwriting.ink import SOLID, Gray, Mask, find_ink, stroke_width
from extras.handwriting.pieces import group_pieces, label_pieces, widened

# Pillow reads many more, some by starting other programs. These are pictures, without any help.
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP", "PPM")
# Compared before anything is decoded: 64 million pixels are 256 MB, and as much again at times.
MAX_PIXELS = 64_000_000
# A larger picture is made smaller than this first: a digit has 20 pixels at the end.
MAX_SIDE = 1024
# Plain paper has fewer specks, and digits are more of what stands out from it.
MAX_PIECES, MIN_SHARE = 30, 0.5

SIZE = 28
BOX = 20
# How wide strokes are in MNIST, in pixels of 28 x 28: the first decile, the median, the ninth.
STROKE = (1.7, 2.3, 3.4)


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

    Digits that touch are not separated.

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
    pieces = label_pieces(mask)
    if pieces.max() > MAX_PIECES:
        raise PictureError(f"{pieces.max()} pieces of ink are not lines of digits")
    lines = group_pieces(pieces)
    digits = [np.isin(pieces, digit) for line in lines for digit in line]
    if not digits or sum(map(np.count_nonzero, digits)) < MIN_SHARE * np.count_nonzero(mask):
        raise PictureError("no digit found: most of what stands out is not drawn by a pen")
    boxes = [ndimage.find_objects(digit.astype(np.int8))[0] for digit in digits]
    images = []
    for digit, box in zip(digits, boxes, strict=True):
        # With a margin, because the edge of a stroke is fainter than what counts as ink.
        around = widened(box, 2)
        own = ndimage.binary_dilation(digit[around], iterations=2)
        images.append(_image(np.where(own, strength[around], np.float32(0))).ravel())
    return Digits(
        np.stack(images),
        np.array([(box[1].start, box[0].start, box[1].stop, box[0].stop) for box in boxes]),
        np.repeat(np.arange(len(lines)), [len(line) for line in lines]),
    )


# Strokes are measured and edges are smoothed at no fewer pixels than this for one of MNIST's.
FINENESS = 8
# A digit of no more pixels has the soft edges of MNIST's already.
SMALL = 32
# What is fainter is not counted when a digit is cut out.
EDGE = 0.05


def _image(ink: Gray) -> NDArray[np.uint8]:
    """Return an image of 28 x 28 of one digit that has been cut out."""
    ink = _cut(ink / ink.max())
    side = max(ink.shape)
    zoom = max(1.0, FINENESS * BOX / side)
    rows, columns = (math.ceil(length * zoom) for length in ink.shape)
    large = np.asarray(Image.fromarray(ink).resize((columns, rows), Image.Resampling.BICUBIC))
    inside = np.pad(large > SOLID, max(large.shape) // BOX * 3)
    depth = ndimage.distance_transform_edt(inside)
    stroke = stroke_width(depth) * BOX / max(large.shape)
    if side > SMALL or not STROKE[0] <= stroke <= STROKE[-1]:
        ink = _cut(_redrawn(inside, depth, max(large.shape)))
    scale = BOX / max(ink.shape)
    rows, columns = (max(1, round(length * scale)) for length in ink.shape)
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    return _centred(np.asarray(Image.fromarray(ink).resize((columns, rows), how)).clip(0, 1))


def _cut(ink: Gray) -> Gray:
    rows, columns = (np.flatnonzero((ink > EDGE).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _redrawn(inside: Mask, depth: NDArray[np.float64], side: int) -> Gray:
    """Move the outline of a digit out or in until its stroke is as wide as MNIST's are."""
    stroke = stroke_width(depth)
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
