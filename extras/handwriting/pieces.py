"""Put pieces of ink together to digits, and leave out what no pen has drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from extras.handwriting.ink import Mask, stroke_width

Box = tuple[slice, slice]
Pieces = NDArray[np.int32]

# Of the height of the highest digit: a lower piece is a part of one; a smaller one is a speck.
MIN_HEIGHT, MIN_PART = 0.3, 0.1
# A wider piece is a line, or several digits that touch; of its height.
MAX_WIDTH = 2.0
# A broader stroke is a blot, and a longer one is a pattern; of the longer side of the piece.
MAX_STROKE, MAX_LENGTH = 0.42, 4.0
# How much of its box a piece may fill, unless it is as narrow as a 1.
MAX_FILL = 0.7
# What has more of its outline on the frame is cut off by it, such as the border of a form.
MAX_CUT_OFF = 0.45


def label_pieces(mask: Mask) -> Pieces:
    """Label the ink that hangs together, also across the smallest gaps; 0 is paper."""
    reach = max(1.0, stroke_width(ndimage.distance_transform_edt(mask)) / 8)
    joined = ndimage.distance_transform_edt(~mask) <= reach
    return np.where(mask, ndimage.label(joined, np.ones((3, 3)))[0], 0).astype(np.int32)


def group_pieces(pieces: Pieces) -> list[list[list[int]]]:
    """Put pieces together to digits, and digits to lines.

    Parts that stand above one another are one digit, and so is a low part with the digit that is
    nearest to it.

    Parameters
    ----------
    pieces : ndarray of int32, shape (rows, columns)
        The label of the piece that each pixel belongs to.

    Returns
    -------
    list
        For each line and each of its digits, from left to right, the labels of its pieces.
    """
    boxes = {label: box for label, box in enumerate(ndimage.find_objects(pieces), 1) if box}
    boxes = {
        label: box
        for label, box in _without_specks(boxes).items()
        if _may_be_digit(pieces, label, box)
    }
    boxes = _without_specks(boxes)
    height = max(map(_height, boxes.values()), default=0)
    whole = [label for label, box in boxes.items() if _height(box) >= MIN_HEIGHT * height]
    lines: list[list[int]] = []
    for label in sorted(whole, key=lambda label: boxes[label][0].start):
        top = boxes[label][0].start
        if lines and top < max(boxes[other][0].stop for other in lines[-1]) + height / 8:
            lines[-1].append(label)
        else:
            lines.append([label])
    digits = [line for line in (_digits_of_line(line, boxes) for line in lines) if line]
    _add_parts(digits, boxes, boxes.keys() - set(whole), height)
    return digits


def _digits_of_line(line: list[int], boxes: Mapping[int, Box]) -> list[list[int]]:
    digits: list[list[int]] = []
    for label in sorted(line, key=lambda label: boxes[label][1].start):
        columns = boxes[label][1]
        if digits and any(_overlap(columns, boxes[other][1]) > 0.4 for other in digits[-1]):
            digits[-1].append(label)
        elif _width(boxes[label]) <= MAX_WIDTH * _height(boxes[label]):
            digits.append([label])
    return digits


def _add_parts(
    digits: list[list[list[int]]], boxes: Mapping[int, Box], parts: set[int], height: int
) -> None:
    cores = [(digit, [boxes[label] for label in digit]) for line in digits for digit in line]
    for label in sorted(parts):
        gaps = [min(_gap(boxes[label], box) for box in core) for _, core in cores]
        if gaps and min(gaps) < height / 4 and _width(boxes[label]) <= height:
            cores[gaps.index(min(gaps))][0].append(label)


def _without_specks(boxes: Mapping[int, Box]) -> dict[int, Box]:
    least = MIN_PART * max(map(_height, boxes.values()), default=0)
    return {i: box for i, box in boxes.items() if max(_height(box), _width(box)) > least}


def _may_be_digit(pieces: Pieces, label: int, box: Box) -> bool:
    """Return whether a pen may have drawn a piece: no blot, no pattern, not cut by the frame."""
    # With a margin of paper, except where the picture ends: there a stroke may go on.
    piece = pieces[widened(box, 1)] == label
    outline = piece & ~ndimage.binary_erosion(piece, border_value=1)
    (top, left), (bottom, right) = ((s.start for s in box), (s.stop for s in box))
    rows, columns = pieces.shape
    on_frame = sum(
        np.count_nonzero(edge)
        for edge, at_frame in (
            (piece[0], top == 0),
            (piece[-1], bottom == rows),
            (piece[:, 0], left == 0),
            (piece[:, -1], right == columns),
        )
        if at_frame
    )
    if on_frame > MAX_CUT_OFF * (on_frame + np.count_nonzero(outline)):
        return False
    side = max(piece.shape)
    # Noise that has left holes in a blot does not make it strokes.
    if grain := side // 40:
        piece = ndimage.binary_closing(np.pad(piece, grain), iterations=grain)
        piece = piece[grain:-grain, grain:-grain]
    stroke = stroke_width(ndimage.distance_transform_edt(piece))
    area = np.count_nonzero(piece)
    if min(piece.shape) > side / 2 and area > MAX_FILL * piece.size:
        return False
    return bool(stroke <= MAX_STROKE * side and area / stroke <= MAX_LENGTH * side)


def widened(box: Box, margin: int) -> Box:
    """Return a box with a margin, as far as the picture goes."""
    rows, columns = (slice(max(0, s.start - margin), s.stop + margin) for s in box)
    return rows, columns


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
