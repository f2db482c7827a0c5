"""Find the ink in a picture: what is narrower than its surroundings, and differs from them.

The paper is a morphological closing with a window wider than any stroke: each stroke is painted
over with the paper beside it, while an edge of shadow, which has no second side, stays where it
is. Whether ink is darker or lighter than paper is not known, so both are tried.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from extras.handwriting.pictures import PictureError, Pixels

# The window of the closing, of the picture's side; and once strokes are known, of their width.
WINDOW, WINDOW_PER_STROKE = 0.6, 3
# The blur that takes away the noise of a camera, of the picture's side.
BLUR = 1 / 300
# The least contrast of ink, in steps of brightness.
MIN_CONTRAST = 5.0
# How uneven the paper may be: its standard deviation, of the contrast of the ink.
MAX_UNEVENNESS = 0.09
# How much of the picture's edge digits may cover; more in a cell of few pixels, which they fill.
MAX_EDGE, MAX_EDGE_OF_CELL, CELL = 0.2, 0.4, 32


class Candidate(NamedTuple):
    """What would be ink if ink were darker, or lighter, than paper.

    `strength` is how much each pixel differs from the paper: 0 is paper, 1 is ink; `contrast` is
    that of the ink, in steps of brightness. `edge` is how much of the picture's edge is ink, the
    corners counting as much as all of it. `rest` is how much contrast remains beside the ink.
    """

    strength: Pixels
    contrast: float
    edge: float
    rest: float


def find_ink(picture: Pixels) -> Pixels:
    """Return how much each pixel of a picture is ink: 0 is paper, 1 is ink.

    The picture has the shape (rows, columns, channels) and values in [0, 255].

    Raises
    ------
    PictureError
        If nothing stands out clearly, or if it covers the picture's edge.
    """
    plane = _clearest_channel(picture)
    plane = ndimage.gaussian_filter(plane, BLUR * math.sqrt(plane.size))
    candidates = [_darker_than_paper(plane), _darker_than_paper(-plane)]
    least = max(MIN_CONTRAST, 0.3 * max(candidate.contrast for candidate in candidates))
    likely = [candidate for candidate in candidates if candidate.contrast >= least]
    if not likely:
        seen = "nothing" if np.ptp(plane) < MIN_CONTRAST else "nothing but a border or a shadow"
        raise PictureError(f"no ink found: {seen} stands out from the paper; write darker")
    ink = min(likely, key=lambda candidate: 2 * candidate.edge + candidate.rest)
    cell = max(plane.shape) <= CELL
    # A border along the edge passes for paper, but as ink it would leave plain paper.
    border = any(candidate.edge > 0.5 and candidate.rest < 0.06 for candidate in likely)
    if ink.edge > (MAX_EDGE_OF_CELL if cell else MAX_EDGE) or (border and not cell):
        problem = "no digit found: what stands out covers the edge of the picture"
        raise PictureError(f"{problem}; leave paper around the digits, or crop the border away")
    if ink.strength[ink.strength < 0.3].std() > MAX_UNEVENNESS:
        raise PictureError("no ink found: the paper is too uneven; write on plain paper")
    return ink.strength


def _clearest_channel(picture: Pixels) -> Pixels:
    """Return the channel that shows most detail."""
    rows, columns, _ = picture.shape
    surroundings = ndimage.uniform_filter(picture, (rows // 2 + 1, columns // 2 + 1, 0))
    detail = (picture - surroundings).std(axis=(0, 1))
    return picture[:, :, int(detail.argmax())]


def _darker_than_paper(plane: Pixels) -> Candidate:
    window = WINDOW * math.sqrt(plane.size)
    # Within a frame of ink, a shadow that the picture's edge cuts off is not painted over.
    margin = math.ceil(window / 2)
    framed = np.pad(plane, margin, constant_values=-np.inf)
    wide = _without_strokes(framed, window)[margin:-margin, margin:-margin] - plane
    depth = ndimage.distance_transform_edt(wide > threshold_otsu(wide))
    window = min(window, WINDOW_PER_STROKE * 2 * float(depth.max()))
    difference = _without_strokes(plane, window) - plane
    ink = difference > threshold_otsu(difference)
    if not ink.any():
        return Candidate(np.zeros_like(plane), 0.0, 0.0, 0.0)
    contrast = float(np.quantile(difference[ink], 0.6))
    strength = np.clip((difference - np.median(difference[~ink])) / contrast, 0, 1)
    rest = float(plane[~ink].std()) / contrast
    return Candidate(strength, contrast, _share_of_edge(strength > 0.5), rest)


def _without_strokes(plane: Pixels, window: float) -> Pixels:
    """Paint over all that is darker than its surroundings and narrower than a window."""
    closing: Pixels = ndimage.grey_closing(plane, 2 * math.ceil(window / 2) + 1, mode="nearest")
    return closing


def _share_of_edge(solid: NDArray[np.bool_]) -> float:
    edge = np.concatenate([solid[0], solid[-1], solid[:, 0], solid[:, -1]])
    corners = solid[[0, 0, -1, -1], [0, -1, 0, -1]]
    return float(edge.mean() + corners.mean()) / 2
