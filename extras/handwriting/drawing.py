"""Draw test images as pictures that are hard to read, and pictures without any ink."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage import data

from extras.handwriting.pictures import Pixels
from extras.handwriting.preparation import SIZE

Images = NDArray[np.uint8]
Values = NDArray[np.float64]
Random = np.random.Generator
# A digit of 28 x 28 as it is enlarged before its stroke is changed.
LARGE = 12
# Of scikit-image: only those that come with the package.
PHOTOGRAPHS = ("astronaut", "brick", "camera", "cat", "coffee", "grass", "gravel", "moon", "rocket")


def _unchanged(images: Images, _random: Random) -> Pixels:
    return images[0, :, :, np.newaxis].astype(np.float32)


def _enlarged_on_paper(images: Images, random: Random) -> Pixels:
    return _on_paper(_enlarged(images[0], round(SIZE * random.uniform(2, 12))), random)


def _fine_pen(images: Images, random: Random) -> Pixels:
    """Draw the middle line of a digit, 5 pixels wide on 336, on paper."""
    depth = ndimage.distance_transform_edt(_enlarged(images[0], LARGE * SIZE) > 0.5)
    # Beside the middle line the depth grows by 1 per pixel; on it, it does not.
    slope = np.hypot(*np.gradient(ndimage.gaussian_filter(depth, 1)))
    return _on_paper(_filled((depth > 1) & (slope < 0.75), 2), random)


def _broad_pen(images: Images, random: Random) -> Pixels:
    """Draw a digit with a stroke that is 1.5 pixels of 28 wider, on paper."""
    solid = np.pad(_enlarged(images[0], LARGE * SIZE) > 0.5, LARGE)
    return _on_paper(_filled(solid, 0.75 * LARGE), random)


def _filling_the_frame(images: Images, random: Random) -> Pixels:
    """Stretch a digit to a cell of 16 or 20 pixels without a margin, unless it is narrow."""
    cut = _cut(images[0])
    side = int(random.choice([16, 20]))
    columns = side if 2 * cut.shape[1] > cut.shape[0] else side * cut.shape[1] // cut.shape[0]
    cell = np.asarray(Image.fromarray(cut).resize((columns, side), Image.Resampling.BICUBIC))
    left = (side - columns) // 2
    cell = np.pad(cell, ((0, 0), (left, side - columns - left)))
    return cell[:, :, np.newaxis].astype(np.float32)


def _out_of_focus(images: Images, random: Random) -> Pixels:
    """Draw a digit cut close on paper, with an edge as soft as the stroke is wide."""
    close = _enlarged(np.pad(_cut(images[0]), 3), 100)
    return _on_paper(ndimage.gaussian_filter(close, random.uniform(2, 5)), random, margin=0)


def _faint(images: Images, random: Random) -> Pixels:
    """Draw a digit with a contrast of 8 to 25 of 255, or on black with twice that."""
    digit = _enlarged(images[0], int(random.integers(SIZE, 200)))[:, :, np.newaxis]
    contrast = np.float32(random.uniform(8, 25))
    picture = 255 - contrast * digit if random.random() < 0.5 else 2 * contrast * digit
    return np.asarray(picture.round().clip(0, 255), np.float32)


def _across_a_shadow(images: Images, random: Random) -> Pixels:
    """Draw a digit on white paper that an edge of shadow crosses, 15 to 45 % darker."""
    digit = _enlarged(images[0], int(random.integers(60, 300)))
    distance = 2 * _ramp(digit.shape, random.uniform(0, 2 * np.pi)) - random.uniform(-0.5, 0.5)
    shadow = random.uniform(0.15, 0.45) / (1 + np.exp(-distance * random.uniform(10, 100)))
    paper = random.uniform(170, 250) - random.uniform(90, 150) * digit
    picture = paper * (1 - shadow) + random.normal(0, 2, digit.shape)
    return np.asarray(picture.clip(0, 255).round(), np.float32)[:, :, np.newaxis]


def _in_a_line(images: Images, random: Random) -> Pixels:
    """Draw digits side by side, of several heights and at several distances, on paper."""
    zoom = int(random.integers(1, 5))
    height = 24 * zoom
    digits = []
    for image in images:
        cut = _cut(image)
        scale = zoom * random.uniform(0.75, 1)
        rows, columns = (max(2, round(side * scale)) for side in cut.shape)
        small = Image.fromarray(cut).resize((columns, rows), Image.Resampling.BICUBIC)
        top = int(random.integers(0, max(1, height - rows)))
        gap = round(zoom * random.uniform(3, 10))
        digits.append(np.pad(np.asarray(small), ((top, height - rows - top), (0, gap))))
    line = np.pad(np.hstack(digits), 4 * zoom)
    return _on_paper((line / 255).astype(np.float32), random, margin=0)


# From digits of 28 x 28, all that the picture shows, to a picture in [0, 255].
WAYS: Mapping[str, Callable[[Images, Random], Pixels]] = {
    "as they are": _unchanged,
    "on paper": _enlarged_on_paper,
    "on paper, with a fine pen": _fine_pen,
    "on paper, with a broad pen": _broad_pen,
    "filling the frame": _filling_the_frame,
    "out of focus": _out_of_focus,
    "faint": _faint,
    "across an edge of shadow": _across_a_shadow,
    "lines of 2 to 10 digits": _in_a_line,
}


def _clouds(shape: tuple[int, int], random: Random, rows: float, columns: float) -> Values:
    values = ndimage.gaussian_filter(random.normal(0, 1, shape), (rows, columns))
    return np.asarray(values / max(values.std(), 1e-9))


def _ruling(shape: tuple[int, int], random: Random, *directions: float) -> Values:
    tilt, distance, width = random.normal(0, 0.03), random.uniform(0.05, 0.2), random.uniform(1, 3)
    ramps = [_ramp(shape, direction + tilt) for direction in directions]
    lines = [ramp % distance < distance * width / 12 for ramp in ramps]
    return np.asarray(-np.any(lines, axis=0).astype(np.float64))


def _shadow(values: Values, random: Random, softest: float) -> Values:
    edge = values - np.quantile(values, random.uniform(0.1, 0.9))
    return np.asarray(-1 / (1 + np.exp(-edge / random.uniform(0.005, softest))))


# From a shape to what is seen on the paper, 1 being its contrast.
PAPERS: Mapping[str, Callable[[tuple[int, int], Random], Values]] = {
    "plain": lambda shape, _: np.zeros(shape),
    "shaded": lambda shape, random: _ramp(shape, random.uniform(0, 2 * np.pi)),
    "noisy": lambda shape, random: random.normal(0, 0.5, shape),
    "clouded": lambda shape, random: _clouds(shape, random, *[random.uniform(1, 30)] * 2) / 3,
    "grained": lambda shape, random: _clouds(shape, random, random.uniform(0.3, 3), 30) / 3,
    "ruled": lambda shape, random: _ruling(shape, random, np.pi / 2),
    "squared": lambda shape, random: _ruling(shape, random, 0, np.pi / 2),
    "edge of a shadow": lambda shape, random: _shadow(
        _ramp(shape, random.uniform(0, 2 * np.pi)), random, 0.1
    ),
    "shadows": lambda shape, random: _shadow(
        _clouds(shape, random, *[min(shape) / 6] * 2), random, 1
    ),
}


NO_INK = [*PAPERS, "photographs", "faces"]


def without_ink(kind: str, random: Random) -> Pixels:
    """Return a picture without digits, of a kind in `NO_INK`."""
    if kind == "photographs":
        whole = np.atleast_3d(getattr(data, str(random.choice(PHOTOGRAPHS)))())
    elif kind == "faces":
        face = random.choice(data.lfw_subset()[:100])
        whole = ndimage.zoom(255 * face, random.uniform(1, 10), order=1)[:, :, np.newaxis]
        return np.asarray(whole.clip(0, 255), np.float32)
    else:
        shape = (int(random.integers(28, 500)), int(random.integers(28, 500)))
        contrast, noise = random.uniform(15, 100), random.choice([0, 1, 3, 8])
        paper = PAPERS[kind](shape, random) * contrast + random.normal(0, noise, shape)
        picture = (paper[:, :, np.newaxis] + random.uniform(80, 250, 3)).clip(0, 255).round()
        return np.asarray(255 - picture if random.random() < 0.2 else picture, np.float32)
    rows, columns = (int(random.integers(28, side)) for side in whole.shape[:2])
    top, left = (
        int(random.integers(side)) for side in np.subtract(whole.shape[:2], (rows, columns))
    )
    return whole[top : top + rows, left : left + columns].astype(np.float32)


def _ramp(shape: tuple[int, int], direction: float) -> Values:
    """Return a plane that rises by 1 across the picture, with 0 in its middle."""
    y, x = np.mgrid[-0.5 : 0.5 : shape[0] * 1j, -0.5 : 0.5 : shape[1] * 1j]
    return np.asarray(x * np.cos(direction) + y * np.sin(direction))


def _cut(image: NDArray[Any]) -> NDArray[Any]:
    rows, columns = (np.flatnonzero((image > 40).any(axis=axis)) for axis in (1, 0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _enlarged(image: Images, side: int) -> Pixels:
    large = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(large, np.float32) / np.float32(255)


def _filled(shape: NDArray[np.bool_], distance: float) -> Pixels:
    """Fill whatever is no farther from a shape than a distance in pixels, with smooth edges."""
    away = ndimage.distance_transform_edt(~shape)
    return np.asarray(np.clip(distance + 0.5 - away, 0, 1), np.float32)


def _on_paper(digits: Pixels, random: Random, margin: float = 1) -> Pixels:
    """Put digits on paper that is tinted, unevenly lit and noisy.

    Paper and ink are of any colour of a light and a dark range, the other way round in half of
    the pictures. Light falls off by up to a quarter; noise deviates by up to 10 of 255 steps. The
    paper is up to `margin` times larger than the digits.
    """
    rows, columns = (round(side * random.uniform(1, 1 + margin)) for side in digits.shape)
    top = int(random.integers(0, rows - digits.shape[0] + 1))
    left = int(random.integers(0, columns - digits.shape[1] + 1))
    cover = np.zeros((rows, columns, 1))
    cover[top : top + digits.shape[0], left : left + digits.shape[1], 0] = digits
    paper, ink = random.uniform(170, 255, 3), random.uniform(0, 80, 3)
    if random.random() < 0.5:
        paper, ink = 255 - paper, 255 - ink
    angle, fall = random.uniform(0, 2 * np.pi), random.uniform(0, 0.25)
    light = 1 - fall * (1 + _ramp((rows, columns), angle)) / 2
    noise = random.normal(0, random.uniform(0, 10), (rows, columns, 1))
    picture = (paper + (ink - paper) * cover) * light[:, :, np.newaxis] + noise
    return np.asarray(np.clip(picture, 0, 255).astype(np.uint8), np.float32)
