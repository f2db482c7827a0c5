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
from skimage.filters import apply_hysteresis_threshold, threshold_isodata

from extras.handwriting.pictures import Pixels

Mask = NDArray[np.bool_]

# Of the contrast of the ink: half way up its edge; what is ink; and what is if it hangs together
# with such.
SOLID, SURE, FAINT = 0.5, 0.38, 0.25
# The least contrast of ink, in steps of brightness, and as a multiple of the noise.
MIN_CONTRAST = 5.0
MIN_NOISE_RATIO = 10.0
BLURS = (0.0, 1.0, 2.0, 4.0)
# How much of the picture ink may cover.
MAX_SHARE = 0.58
# How uneven the paper may be: its standard deviation, of the contrast of the ink.
MAX_UNEVENNESS = 0.072
# The window of the closing, of the picture's side; and once strokes are known, of their width.
WINDOW, WINDOW_PER_STROKE = 0.6, 3.0


class Ink(NamedTuple):
    """The ink of a picture, each array of shape (rows, columns).

    Attributes
    ----------
    plane
        The mixture of colours in which it was found, in steps of brightness, without noise.
    strength
        How much each pixel differs from the paper: 0 is paper, 1 is ink.
    mask
        Which pixels are ink.
    """

    plane: Pixels
    strength: Pixels
    mask: Mask


def find_ink(picture: Pixels) -> Ink | None:
    """Return the ink of a picture with values in [0, 255]; None if nothing stands out."""
    plane = _main_colour(picture)
    noise = _noise(plane)
    for blur in BLURS:
        # Noise is blurred away only as far as needed. A Gaussian filter reduces it by this factor.
        smooth = ndimage.gaussian_filter(plane, blur) if blur else plane
        reduction = max(1.0, 2 * math.sqrt(math.pi) * blur)
        strength, contrast = _strength(smooth)
        if contrast >= max(MIN_CONTRAST, MIN_NOISE_RATIO * noise / reduction):
            break
    else:
        return None
    mask = apply_hysteresis_threshold(strength, FAINT, SURE)
    paper = strength[~mask]
    uneven = paper.size > 0 and paper.std() > MAX_UNEVENNESS
    return None if uneven or mask.mean() > MAX_SHARE else Ink(smooth, strength, mask)


def _main_colour(picture: Pixels) -> Pixels:
    """Return the mixture of the channels that shows most detail, in steps of brightness."""
    rows, columns, channels = picture.shape
    surroundings = ndimage.uniform_filter(picture, (rows // 2 + 1, columns // 2 + 1, 0))
    detail = (picture - surroundings).reshape(-1, channels)
    _, axes = np.linalg.eigh((detail.T @ detail).astype(np.float64))
    # Rounded, because processors differ in the last digits of such a solution.
    axis = (axes[:, -1] / np.abs(axes[:, -1]).sum()).round(3)
    return np.asarray(picture @ axis.astype(np.float32), np.float32)


def _noise(plane: Pixels) -> float:
    """Return the standard deviation of the noise, from the differences of neighbouring pixels.

    Their lower quartile is that of even paper, also if the paper is only a part of the picture.

    References
    ----------
    J. Immerkaer: Fast noise variance estimation. Computer Vision and Image Understanding, 1996.
    """
    kernel = np.outer((1, -2, 1), (1, -2, 1)).astype(np.float32) / 6
    differences = ndimage.convolve(plane, kernel)[1:-1, 1:-1]
    # The lower quartile of the absolute values of a standard normal distribution is 0.3186.
    return float(np.quantile(np.abs(differences), 0.25)) / 0.3186 if differences.size else 0.0


def _strength(plane: Pixels) -> tuple[Pixels, float]:
    """Return the strength and the contrast of the ink, be it darker or lighter than the paper.

    Paper is even, and it is what most of the frame, and above all the corners, consist of.
    """
    candidates = [_darker_than_paper(plane), _darker_than_paper(-plane)]
    least = 0.3 * max(contrast for _, contrast, _ in candidates)
    likely = [candidate for candidate in candidates if candidate[1] >= least]
    strength, contrast, _ = min(likely, key=lambda c: 2 * share_of_frame(c[0] > SOLID) + c[2])
    return strength, contrast


def _darker_than_paper(plane: Pixels) -> tuple[Pixels, float, float]:
    """Return the strength and the contrast of ink, and how uneven the paper is.

    The last is the standard deviation of the paper without its shading, of the contrast.
    """
    window = WINDOW * math.sqrt(plane.size)
    paper = _without_strokes(plane, window, framed=True)
    flat = plane - _shading(paper, paper - plane <= _threshold(paper - plane))
    difference = _without_strokes(flat, window, framed=True) - flat
    depth = ndimage.distance_transform_edt(difference > _threshold(difference))
    paper = _without_strokes(flat, min(window, WINDOW_PER_STROKE * 2 * float(depth.max())))
    difference = paper - flat
    ink = difference > _threshold(difference)
    if not ink.any():
        return np.zeros_like(plane), 0.0, 1.0
    difference -= np.median(difference[~ink])
    contrast = max(float(np.quantile(difference[ink], 0.6)), 1e-6)
    return np.clip(difference / contrast, 0, 1), contrast, float(paper.std()) / contrast


def _without_strokes(plane: Pixels, window: float, *, framed: bool = False) -> Pixels:
    """Paint over all that is darker than its surroundings and narrower than a window.

    With a frame of ink, a shadow that the picture's edge cuts off is not painted over, however
    small the corner that it fills.
    """
    half = math.ceil(window / 2)
    if framed:
        plane = np.pad(plane, half, constant_values=-np.inf)
    paper: Pixels = ndimage.grey_closing(plane, (2 * half + 1, 2 * half + 1), mode="nearest")
    return paper[half:-half, half:-half] if framed else paper


def _threshold(difference: Pixels) -> float:
    """Return the level midway between the means of what is below it and of what is above it.

    Of several the highest, because little ink on much paper is found as well; but no more than
    half of the greatest difference, because ink is uneven.
    """
    half = float(difference.max()) / 2
    # Levels with nothing on one side have no mean there; scikit-image leaves them out.
    with np.errstate(divide="ignore", invalid="ignore"):
        levels = np.atleast_1d(threshold_isodata(difference, return_all=True))
    return float(max(levels[levels <= half], default=half))


def _shading(paper: Pixels, plain: Mask) -> Pixels:
    """Return the surface of the second degree that fits the paper; zero if none fits well."""
    rows, columns = paper.shape
    step = max(1, math.isqrt(paper.size // 4096))
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    terms = np.stack([x**0, x, y, x * x, x * y, y * y], axis=-1).astype(np.float32)
    sample = np.zeros_like(plain)
    sample[::step, ::step] = plain[::step, ::step]
    fit = np.linalg.lstsq(terms[sample].astype(np.float64), paper[sample], rcond=1e-6)[0]
    # Rounded, because processors differ in the last digits of such a solution.
    surface = terms @ fit.round(3).astype(np.float32)
    error = np.var(paper[sample] - surface[sample])
    return surface if error < 0.1 * np.var(paper[sample]) else np.zeros_like(paper)


def share_of_edges(plane: Pixels, strength: Pixels, scale: float, *, cell: bool) -> float:
    """Return how far the edges in a picture are those of ink: the correlation of their gradients.

    Where the frame cuts off ink there is an edge of ink, but none in the picture: a pen leaves
    paper on both sides of its stroke, unless it fills a cell. Edges are compared at a scale in
    pixels.
    """
    margin = math.ceil(4 * scale)
    picture, ink = (
        np.stack(np.gradient(ndimage.gaussian_filter(padded, scale)))
        for padded in (
            np.pad(plane, margin, "edge"),
            np.pad(strength, margin, "edge" if cell else "constant"),
        )
    )
    return abs(float((picture * ink).sum())) / math.sqrt((picture**2).sum() * (ink**2).sum())


def share_of_frame(solid: Mask) -> float:
    """Return how much of the frame is ink; the corners count as much as all of it."""
    frame = np.concatenate([solid[0], solid[-1], solid[:, 0], solid[:, -1]])
    corners = solid[[0, 0, -1, -1], [0, -1, 0, -1]]
    return float(frame.mean() + corners.mean()) / 2


def stroke_width(depth: NDArray[np.float64]) -> float:
    """Return the mean width of strokes, from the distance of each of their pixels to paper.

    Across a stroke of width w, the depth rises from 0 to w / 2 and falls again: w / 4 on average.
    """
    return 4 * (float(depth[depth > 0].mean()) - 0.5) + 1
