"""Draw test images as pictures; and prepare pictures in the twenty lines that everybody writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_otsu

from extras.handwriting.ink import Gray
from extras.handwriting.preparation import BOX, SIZE

Images = NDArray[np.uint8]
Draw = Callable[[Images, np.random.Generator], Gray]
# A digit of 28 x 28 as it is enlarged before its stroke is changed.
LARGE = 12


def unchanged(images: Images, _random: np.random.Generator) -> Gray:
    """Return the image of the test set as a picture of 28 x 28 pixels."""
    return images[0, :, :, np.newaxis].astype(np.float32)


def on_paper(images: Images, random: np.random.Generator) -> Gray:
    """Draw a digit enlarged 2 to 12 times somewhere on paper."""
    return _on_paper(_enlarged(images[0], round(SIZE * random.uniform(2, 12))), random)


def with_a_fine_pen(images: Images, random: np.random.Generator) -> Gray:
    """Draw the middle line of a digit, 5 pixels wide on 336, on paper."""
    depth = ndimage.distance_transform_edt(_enlarged(images[0], LARGE * SIZE) > 0.5)
    # Beside the middle line the depth grows by 1 per pixel; on it, it does not.
    slope = np.hypot(*np.gradient(ndimage.gaussian_filter(depth, 1)))
    return _on_paper(_filled((depth > 1) & (slope < 0.75), 2), random)


def with_a_broad_pen(images: Images, random: np.random.Generator) -> Gray:
    """Draw a digit with a stroke that is 1.5 pixels of 28 wider, on paper."""
    solid = np.pad(_enlarged(images[0], LARGE * SIZE) > 0.5, LARGE)
    return _on_paper(_filled(solid, 0.75 * LARGE), random)


def filling_the_frame(images: Images, random: np.random.Generator) -> Gray:
    """Stretch a digit to a cell of 16 or 20 pixels without a margin, unless it is narrow."""
    cut = _cut(images[0])
    side = int(random.choice([16, 20]))
    columns = side if 2 * cut.shape[1] > cut.shape[0] else side * cut.shape[1] // cut.shape[0]
    cell = np.asarray(Image.fromarray(cut).resize((columns, side), Image.Resampling.BICUBIC))
    left = (side - columns) // 2
    cell = np.pad(cell, ((0, 0), (left, side - columns - left)))
    return cell[:, :, np.newaxis].astype(np.float32)


def out_of_focus(images: Images, random: np.random.Generator) -> Gray:
    """Draw a digit cut close on paper, with an edge as soft as the stroke is wide."""
    close = _enlarged(np.pad(_cut(images[0]), 3), 100)
    return _on_paper(ndimage.gaussian_filter(close, random.uniform(2, 5)), random, margin=0)


def faint(images: Images, random: np.random.Generator) -> Gray:
    """Draw a digit with a contrast of 8 to 25 of 255, or on black with twice that."""
    digit = _enlarged(images[0], int(random.integers(SIZE, 200)))[:, :, np.newaxis]
    contrast = np.float32(random.uniform(8, 25))
    picture = 255 - contrast * digit if random.random() < 0.5 else 2 * contrast * digit
    return np.asarray(picture.round().clip(0, 255), np.float32)


def across_a_shadow(images: Images, random: np.random.Generator) -> Gray:
    """Draw a digit on white paper that an edge of shadow crosses, 15 to 45 % darker."""
    digit = _enlarged(images[0], int(random.integers(60, 300)))
    y, x = np.mgrid[-1 : 1 : len(digit) * 1j, -1 : 1 : len(digit) * 1j]
    angle = random.uniform(0, 2 * np.pi)
    distance = x * np.cos(angle) + y * np.sin(angle) - random.uniform(-0.5, 0.5)
    shadow = random.uniform(0.15, 0.45) / (1 + np.exp(-distance * random.uniform(10, 100)))
    paper = random.uniform(170, 250) - random.uniform(90, 150) * digit
    picture = paper * (1 - shadow) + random.normal(0, 2, digit.shape)
    return np.asarray(picture.clip(0, 255).round(), np.float32)[:, :, np.newaxis]


def in_a_line(images: Images, random: np.random.Generator) -> Gray:
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


WAYS: Mapping[str, Draw] = {
    "as they are": unchanged,
    "on paper": on_paper,
    "on paper, with a fine pen": with_a_fine_pen,
    "on paper, with a broad pen": with_a_broad_pen,
    "filling the frame": filling_the_frame,
    "out of focus": out_of_focus,
    "faint": faint,
    "across an edge of shadow": across_a_shadow,
    "lines of 2 to 10 digits": in_a_line,
}


def twenty_lines(picture: Gray) -> Images:
    """Return the image that everybody makes: grey, inverted, Otsu, cut out, centred by mass.

    Returns
    -------
    ndarray of uint8, shape (1, 784)
    """
    grey = picture.mean(axis=2)
    if grey.mean() > 127:
        grey = 255 - grey
    ink = np.where(grey > threshold_otsu(grey), grey, 0) if np.ptp(grey) else grey
    image = np.zeros((SIZE, SIZE), np.uint8)
    if ink.any():
        cut = ink[np.ix_(ink.any(axis=1), ink.any(axis=0))]
        rows, columns = (max(1, round(side * BOX / max(cut.shape))) for side in cut.shape)
        small = Image.fromarray(cut.astype(np.uint8)).resize((columns, rows))
        middle = ndimage.center_of_mass(np.asarray(small))
        top, left = (
            int(np.clip(round(SIZE / 2 - at), 0, SIZE - side))
            for at, side in zip(middle, (rows, columns), strict=True)
        )
        image[top : top + rows, left : left + columns] = np.asarray(small)
    return image.reshape(1, SIZE * SIZE)


def _cut(image: NDArray[Any]) -> NDArray[Any]:
    rows, columns = (np.flatnonzero((image > 40).any(axis=axis)) for axis in (1, 0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _enlarged(image: Images, side: int) -> Gray:
    large = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(large, np.float32) / np.float32(255)


def _filled(shape: NDArray[np.bool_], distance: float) -> Gray:
    """Fill whatever is no farther from a shape than a distance in pixels, with smooth edges."""
    away = ndimage.distance_transform_edt(~shape)
    return np.asarray(np.clip(distance + 0.5 - away, 0, 1), np.float32)


def _on_paper(digits: Gray, random: np.random.Generator, margin: float = 1) -> Gray:
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
    y, x = np.linspace(-1, 1, rows)[:, np.newaxis], np.linspace(-1, 1, columns)[np.newaxis]
    angle, fall = random.uniform(0, 2 * np.pi), random.uniform(0, 0.25)
    light = 1 - fall * (1 + x * np.cos(angle) / 2 + y * np.sin(angle) / 2) / 2
    noise = random.normal(0, random.uniform(0, 10), (rows, columns, 1))
    picture = (paper + (ink - paper) * cover) * light[:, :, np.newaxis] + noise
    return np.asarray(np.clip(picture, 0, 255).astype(np.uint8), np.float32)
