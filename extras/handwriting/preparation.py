"""Pictures of digits, prepared the way MNIST was, so that the network sees what it has learnt.

A picture may be of any size and colour, dark on light or light on dark, on uneven paper. Ink is
what is narrower than its surroundings and differs from them; ink that hangs together is a piece,
and pieces make digits. MNIST's own preparation [1]_ follows: scaled to fit 20 x 20 with its shape
kept and its edges smooth, centred by mass in 28 x 28. A stroke that is finer or broader than
MNIST's is redrawn, because a fine line would fade away when it is scaled down.

.. [1] Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits.
   http://yann.lecun.com/exdb/mnist/
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.sparse.csgraph import connected_components
from skimage.measure import moments_central, regionprops

from extras.handwriting.ink import (
    SOLID,
    Mask,
    find_ink,
    share_of_edges,
    share_of_frame,
    stroke_width,
)
from extras.handwriting.pictures import PictureError, Pixels

# Plain paper has fewer specks.
MAX_PIECES = 30
# In a photograph, or across the edges of shadows, fewer of the edges are those of digits.
MIN_SHARE_OF_EDGES = 0.72

# Of the height of the highest digit: a lower piece is a part of one; a smaller one is a speck.
MIN_HEIGHT, MIN_PART = 0.3, 0.1
# A wider piece is a line, or several digits that touch; of its height.
MAX_WIDTH = 1.6
# Pieces that share more of their width are one digit.
MIN_OVERLAP = 0.4
# What has more of its outline on the frame is cut off by it, such as the border of a form or the
# corner of a shadow; the smaller a piece is beside the largest, the less is enough.
MAX_CUT_OFF = 0.5
# How much of the frame digits may cover; the corners count as much as all of it.
MAX_SHARE_OF_FRAME = 0.19
# A broader stroke is a blot, and a longer one is a pattern; of the longer side of the piece.
MAX_STROKE, MAX_LENGTH = 0.3, 3.2
# An 8 has two; holes that are only grain are not counted.
MAX_LOOPS = 2

SIZE = 28
BOX = 20
# How wide strokes are in MNIST, in pixels of 28 x 28: the first decile, the median, the ninth.
STROKE = (1.7, 2.3, 3.4)
# The longer side of a digit while its stroke is measured and redrawn; smaller holes are grain.
FINE, SPECK = 160, 60
# A digit of no more pixels has the soft edges of MNIST's already.
SMALL = 32
# What is fainter is not counted when a digit is cut out.
EDGE = 0.05


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


def prepare(picture: Pixels) -> Digits:
    """Find the digits of a picture and make of each an image like those of MNIST.

    The picture has values in [0, 255]. Digits that touch are not separated.

    Raises
    ------
    PictureError
        If there is no ink, or it is not one or more lines of digits.
    """
    ink = find_ink(picture)
    if ink is None:
        raise PictureError("no ink found: nothing stands out from the paper; write darker")
    fine = max(1.0, stroke_width(ndimage.distance_transform_edt(ink.mask)) / 8)
    pieces = _label_pieces(ink.mask, fine)
    if pieces.max() > MAX_PIECES:
        problem = f"{pieces.max()} pieces of ink are not lines of digits"
        raise PictureError(f"{problem}; crop the picture to the digits")
    lines, digits = _find_digits(pieces, ink.strength)
    if not digits:
        raise PictureError("no digit found: no pen drew what stands out; write on plain paper")
    cuts = [_with_edge(digit, ink.strength) for digit in digits]
    cell = max(ink.mask.shape) <= SMALL
    if share_of_edges(ink.plane, np.max(cuts, axis=0), fine, cell=cell) < MIN_SHARE_OF_EDGES:
        problem = "no digit found: most edges are not those of strokes on paper"
        raise PictureError(f"{problem}; crop the picture to the digits")
    boxes = [ndimage.find_objects(digit.astype(np.int8))[0] for digit in digits]
    return Digits(
        np.stack([_image(cut).ravel() for cut in cuts]),
        np.array([(box[1].start, box[0].start, box[1].stop, box[0].stop) for box in boxes]),
        np.array(lines),
    )


def scale_whole(picture: Pixels) -> Digits:
    """Return a picture as one grey image, which is how a model of other classes sees it."""
    rows, columns = picture.shape[:2]
    grey = Image.fromarray(picture[:, :, :3].mean(axis=2).clip(0, 255).round().astype(np.uint8))
    image = np.asarray(grey.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    return Digits(image.reshape(1, -1), np.array([[0, 0, columns, rows]]), np.zeros(1, np.int_))


def _with_edge(digit: Mask, strength: Pixels) -> Pixels:
    # The edge of a stroke is fainter than what counts as ink.
    return np.where(ndimage.binary_dilation(digit, iterations=2), strength, np.float32(0))


def _label_pieces(mask: Mask, gap: float) -> NDArray[np.int32]:
    """Label the ink that hangs together, also across a gap of some pixels; 0 is paper."""
    joined = ndimage.distance_transform_edt(~mask) <= gap
    return np.where(mask, ndimage.label(joined, np.ones((3, 3)))[0], 0).astype(np.int32)


def _find_digits(pieces: NDArray[np.int32], strength: Pixels) -> tuple[list[int], list[Mask]]:
    """Return the digits line by line and from left to right: the line of each, and its shape."""
    frame = np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
    on_frame = np.bincount(frame, minlength=pieces.max() + 1)
    regions = regionprops(pieces)
    largest = max(region.area for region in regions)
    whole = [
        region
        for region in regions
        if on_frame[region.label] <= MAX_CUT_OFF * region.perimeter * region.area / largest
    ]
    solid = (strength > SOLID) & np.isin(pieces, [region.label for region in whole])
    # In a cell of a few pixels, the bar of a 7 fills a side with both its corners.
    small = max(pieces.shape) <= SMALL
    if share_of_frame(solid) > (0.5 if small else MAX_SHARE_OF_FRAME):
        return [], []
    drawn = [region for region in whole if _is_drawn(strength[region.slice] * region.image)]
    height = max((region.image.shape[0] for region in drawn), default=0)
    drawn = [region for region in drawn if _is_part(region.image, height)]
    if not drawn:
        return [], []
    labels = np.array([region.label for region in drawn])
    groups = _group(np.array([region.bbox for region in drawn]))
    return [line for line, _ in groups], [np.isin(pieces, labels[group]) for _, group in groups]


def _is_part(image: Mask, height: int) -> bool:
    """Return whether a piece is neither a speck nor a line, beside digits of a height."""
    rows, columns = image.shape
    return bool(max(rows, columns) > MIN_PART * height and columns <= max(MAX_WIDTH * rows, height))


def _is_drawn(ink: Pixels) -> bool:
    """Return whether a pen may have drawn a piece: neither broad nor long, with few loops."""
    inside, depth = _solid(ink)
    if not inside.any():  # a hairline that fades away when it is scaled
        return False
    stroke = stroke_width(depth)
    around = np.bincount(ndimage.label(~inside)[0][~inside])
    loops = np.count_nonzero(around > SPECK) - 1
    return bool(
        stroke <= MAX_STROKE * FINE
        and np.count_nonzero(inside) <= MAX_LENGTH * FINE * stroke
        and loops <= MAX_LOOPS
    )


def _group(boxes: NDArray[np.int_]) -> list[tuple[int, NDArray[np.intp]]]:
    """Group pieces to digits and lines.

    Parts that stand above one another are one digit, and so is a low part with the digit that is
    nearest to it. From the top, left, bottom and right of each piece follow the line and the
    pieces of each digit, line by line and from left to right.
    """
    top, left, bottom, right = boxes.T
    height = int((bottom - top).max())
    whole = bottom - top >= MIN_HEIGHT * height
    rows = np.zeros(bottom.max() + height, bool)
    for first, last in boxes[whole][:, [0, 2]]:
        rows[first : last + height // 8] = True
    line = ndimage.label(rows)[0][top]
    shared = np.minimum.outer(right, right) - np.maximum.outer(left, left)
    together = shared > MIN_OVERLAP * np.minimum.outer(right - left, right - left)
    together &= np.equal.outer(line, line) & np.logical_and.outer(whole, whole)
    apart = np.maximum.outer(top, top) - np.minimum.outer(bottom, bottom)
    gaps = np.hypot(np.maximum(-shared, 0), np.maximum(apart, 0))
    gaps[:, ~whole] = np.inf
    nearest = gaps.argmin(axis=1)
    parts = np.flatnonzero(~whole & (gaps.min(axis=1) < height / 4))
    together[parts, nearest[parts]] = True
    line[parts] = line[nearest[parts]]
    _, digit = connected_components(together, directed=False)
    digits = [np.flatnonzero(digit == number) for number in np.unique(digit[whole])]
    return sorted(((line[d[0]] - 1, d) for d in digits), key=lambda x: (x[0], left[x[1]].min()))


def _image(ink: Pixels) -> NDArray[np.uint8]:
    """Return an image of 28 x 28 of one digit that has been cut out."""
    ink = _cut(ink / ink.max())
    inside, depth = _solid(ink)
    stroke = stroke_width(depth)
    least, usual, most = (width * FINE / BOX for width in STROKE)
    if max(ink.shape) > SMALL or not least <= stroke <= most:
        # The digit grows with its stroke, and is scaled down to the same 20 pixels after that.
        # A blot is never thinned until nothing is left of it.
        target = usual if stroke < least else min(stroke, most)
        move = max((target - stroke) / (2 * (1 - target / FINE)), 1 - float(depth.max()))
        outline = depth - ndimage.distance_transform_edt(~inside)
        ink = _cut(np.asarray(np.clip(outline + move + 0.5, 0, 1), np.float32))
    how = Image.Resampling.BOX if max(ink.shape) > BOX else Image.Resampling.BICUBIC
    return _steeper(_centred(_scaled(ink, BOX, how).clip(0, 1)))


def _solid(ink: Pixels) -> tuple[Mask, NDArray[np.float64]]:
    """Return the shape of ink on a side of `FINE`, and how deep inside each pixel is."""
    inside = np.pad(
        _scaled(ink / ink.max(), FINE, Image.Resampling.BICUBIC) > SOLID, FINE // BOX * 3
    )
    return inside, ndimage.distance_transform_edt(inside)


def _scaled(ink: Pixels, side: int, how: Image.Resampling) -> Pixels:
    rows, columns = (max(1, round(length * side / max(ink.shape))) for length in ink.shape)
    return np.asarray(Image.fromarray(ink).resize((columns, rows), how))


def _cut(ink: Pixels) -> Pixels:
    rows, columns = (np.flatnonzero((ink > EDGE).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _centred(ink: Pixels) -> NDArray[np.uint8]:
    """Put a digit of at most 20 x 20 into 28 x 28, its mass as near to the middle as can be."""
    image = np.zeros((SIZE, SIZE), np.uint8)
    corner = [
        int(np.clip(round(SIZE / 2 - centre), 0, SIZE - side))
        for centre, side in zip(ndimage.center_of_mass(ink), ink.shape, strict=True)
    ]
    window = tuple(slice(at, at + side) for at, side in zip(corner, ink.shape, strict=True))
    image[window] = (ink * 255).round().astype(np.uint8)
    return image


def _steeper(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Halve the slant of a digit, because many hands lean further than most of MNIST's."""
    moments = moments_central(image, order=2)
    shear = moments[1, 1] / max(moments[2, 0], 1) / 2
    steeper: NDArray[np.uint8] = ndimage.affine_transform(
        image, [[1, 0], [shear, 1]], offset=[0, -shear * SIZE / 2], order=1
    )
    return steeper
