"""Find the digits among pieces of ink.

Ink that hangs together is a piece. Borders, lines and specks are left out, and pieces that stand
above one another, or close together, make a digit.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label, regionprops

from extras.handwriting.pictures import PictureError

Mask = NDArray[np.bool_]
Piece = Any  # what `regionprops` of scikit-image returns, which has no types

# Plain paper has fewer specks.
MAX_PIECES = 30
# Of the largest piece; a smaller one is a speck.
MIN_SIZE = 0.1
# Of the height of the highest digit: a lower piece is part of one; a line or a border is longer
# than a digit can be. What the picture's edge cuts off is a digit only if it is high enough.
MIN_HEIGHT, MAX_LENGTH, MIN_HEIGHT_AT_EDGE = 0.3, 1.4, 0.6
# A wider piece is a line, or several digits that touch; of its height.
MAX_WIDTH = 1.6
# A line is narrower, of its length.
MAX_NARROWNESS = 0.1
# An 8 has two; holes that are only grain, of the piece's box, do not count.
MAX_LOOPS, MIN_LOOP = 2, 0.005
# Pieces that share more of their width are one digit.
MIN_OVERLAP = 0.4


class Digit(NamedTuple):
    """A digit of a picture: the line that it stands on, and its pixels."""

    line: int
    mask: Mask


def find_digits(ink: Mask) -> list[Digit]:
    """Return the digits line by line and from left to right.

    Raises
    ------
    PictureError
        If the ink is not one or more lines of digits.
    """
    # A gap of a pixel or two does not separate.
    labels = label(ndimage.binary_dilation(ink), connectivity=2) * ink
    if labels.max() > MAX_PIECES:
        problem = f"{labels.max()} pieces of ink are not lines of digits"
        raise PictureError(f"{problem}; crop the picture to the digits")
    pieces = _without_lines(_without_borders(regionprops(labels)), ink.shape)
    return [
        Digit(line, np.isin(labels, [piece.label for piece in digit]))
        for line, digit in _group(pieces)
    ]


def _without_borders(pieces: list[Piece]) -> list[Piece]:
    """Leave out what surrounds other pieces, boxes, and specks."""
    inner = [
        piece
        for piece in pieces
        if not _is_box(piece) and not any(_surrounds(piece, other) for other in pieces)
    ]
    if not inner:
        raise PictureError("no digit found: what stands out is the outline of a box")
    largest = max(_length(piece) for piece in inner)
    return [piece for piece in inner if _length(piece) > MIN_SIZE * largest]


def _is_box(piece: Piece) -> bool:
    """Return whether a piece is the outline of a rectangle."""
    return bool(2 * piece.area < piece.area_filled > 0.95 * piece.area_bbox)


def _surrounds(piece: Piece, other: Piece) -> bool:
    """Return whether a piece is a border around another, which is more than a speck."""
    if other is piece or _height(other) < 0.2 * _height(piece):
        return False
    coordinates = other.coords - piece.bbox[:2]
    if (coordinates < 0).any() or (coordinates >= piece.image.shape).any():
        return False
    return bool(piece.image_convex[tuple(coordinates.T)].mean() > 0.9)


def _without_lines(pieces: list[Piece], shape: tuple[int, ...]) -> list[Piece]:
    """Leave out lines, patterns, and what the picture's edge cuts off."""
    whole = [piece for piece in pieces if not _is_cut_off(piece, shape)] or pieces
    curved = [
        piece
        for piece in whole
        if piece.axis_minor_length > MAX_NARROWNESS * piece.axis_major_length
    ] or whole
    height = max(_height(piece) for piece in curved)
    digits = [
        piece
        for piece in pieces
        if (piece in curved or _length(piece) <= MAX_LENGTH * height)
        and (piece in whole or _length(piece) >= MIN_HEIGHT_AT_EDGE * height)
        and piece.image.shape[1] <= max(MAX_WIDTH * _height(piece), height)
        and _loops(piece) <= MAX_LOOPS
        and not _is_blot(piece)
    ]
    if 2 * sum(piece.area for piece in digits) < sum(piece.area for piece in whole):
        raise PictureError("no digit found: most of what stands out are lines or patterns")
    return digits


def _is_cut_off(piece: Piece, shape: tuple[int, ...]) -> bool:
    """Return whether a piece goes on beyond the picture, as a border or a shadow does."""
    at_sides = np.hstack([piece.coords == 0, piece.coords == np.subtract(shape, 1)]).sum(axis=0)
    return bool(np.count_nonzero(at_sides) > 1 or at_sides.sum() > 0.25 * piece.perimeter)


def _is_blot(piece: Piece) -> bool:
    return bool(piece.solidity > 0.9 and piece.axis_minor_length > 0.5 * piece.axis_major_length)


def _loops(piece: Piece) -> int:
    holes = regionprops(label(piece.image_filled & ~piece.image, connectivity=1))
    return sum(hole.area > MIN_LOOP * piece.area_bbox for hole in holes)


def _height(piece: Piece) -> int:
    return int(piece.image.shape[0])


def _length(piece: Piece) -> int:
    return int(max(piece.image.shape))


def _group(pieces: list[Piece]) -> list[tuple[int, list[Piece]]]:
    """Group pieces to digits, line by line and from left to right, each with its line.

    High pieces that stand above one another in a line are one digit; a low one belongs to the
    digit that is nearest to it.
    """
    height = max(_height(piece) for piece in pieces)
    high = [piece for piece in pieces if _height(piece) >= MIN_HEIGHT * height]
    rows = np.zeros(max(piece.bbox[2] for piece in high) + height, bool)
    for piece in high:
        rows[piece.bbox[0] : piece.bbox[2] + height // 8] = True
    lines = ndimage.label(rows)[0]
    digits: list[tuple[int, list[Piece]]] = []
    for piece in sorted(high, key=lambda piece: (lines[piece.bbox[0]], piece.bbox[1])):
        line = int(lines[piece.bbox[0]])
        if digits and digits[-1][0] == line and _overlap(digits[-1][1], piece) > MIN_OVERLAP:
            digits[-1][1].append(piece)
        else:
            digits.append((line, [piece]))
    for piece in (piece for piece in pieces if piece not in high):
        gaps = [min(_gap(piece, part) for part in digit) for _, digit in digits]
        if min(gaps) < height / 4:
            digits[int(np.argmin(gaps))][1].append(piece)
    return digits


def _overlap(digit: list[Piece], piece: Piece) -> float:
    """Return how much of their width a digit and a piece share, of the narrower."""
    left = min(part.bbox[1] for part in digit)
    right = max(part.bbox[3] for part in digit)
    shared = min(right, piece.bbox[3]) - max(left, piece.bbox[1])
    return float(shared / min(right - left, piece.image.shape[1]))


def _gap(piece: Piece, other: Piece) -> float:
    """Return the distance between the boxes of two pieces."""
    starts = np.maximum(piece.bbox[:2], other.bbox[:2])
    ends = np.minimum(piece.bbox[2:], other.bbox[2:])
    return float(np.hypot(*np.maximum(starts - ends, 0)))
