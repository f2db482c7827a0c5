"""Measure how well test digits are classified when they come as pictures of paper.

    python -m extras.handwriting.study

About ten minutes on two processors: every test image is redrawn in several ways, prepared by
preparation.py and classified by every run. Writes study.json and the table in README.md. Fails if
a run loses more than 2 points on paper.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from common.atomic import atomic_write
from common.command_line import CommandError, argument_parser, echo, progress, run
from common.config import load_config
from common.splits import load_split
from extras.handwriting import preparation
from extras.handwriting.predictor import Predictor, load_predictor
from extras.handwriting.preparation import SIZE, Gray, PictureError

TEST = Path("data/flat/test.npz")
MEASURED = Path("extras/handwriting/study.json")
DOCUMENT = Path("extras/handwriting/README.md")
BEGIN, END = "<!-- measured -->\n", "<!-- end of measured -->\n"

SEED = 1
MAX_LOSS = 0.02
IMAGES_PER_CHUNK = 100
# A digit of 28 x 28 as it is enlarged before its stroke is changed.
LARGE = 12

Draw = Callable[[NDArray[np.uint8], np.random.Generator], Gray]


def unchanged(image: NDArray[np.uint8], _random: np.random.Generator) -> Gray:
    """Give the image of the test set as a picture of 28 x 28 pixels."""
    return image[:, :, np.newaxis].astype(np.float32)


def on_paper(image: NDArray[np.uint8], random: np.random.Generator) -> Gray:
    """Draw a digit enlarged 2 to 12 times somewhere on paper; see `_on_paper`."""
    side = round(SIZE * random.uniform(2, 12))
    return _on_paper(_enlarged(image, side), random)


def with_a_fine_pen(image: NDArray[np.uint8], random: np.random.Generator) -> Gray:
    """Draw the middle line of a digit, 5 pixels wide on 336, on paper."""
    depth = ndimage.distance_transform_edt(_solid(image))
    # Beside the middle line the depth grows by 1 a pixel; on it, it does not.
    slope = np.hypot(*np.gradient(ndimage.gaussian_filter(depth, 1)))
    middle = (depth > 1) & (slope < 0.75)
    return _on_paper(_filled(middle, 2), random)


def with_a_broad_pen(image: NDArray[np.uint8], random: np.random.Generator) -> Gray:
    """Draw a digit with a stroke that is 1.5 pixels of 28 wider, on paper."""
    return _on_paper(_filled(np.pad(_solid(image), LARGE), 0.75 * LARGE), random)


WAYS: Mapping[str, Draw] = {
    "as they are": unchanged,
    "on paper": on_paper,
    "on paper, with a fine pen": with_a_fine_pen,
    "on paper, with a broad pen": with_a_broad_pen,
}


def _enlarged(image: NDArray[np.uint8], side: int) -> Gray:
    large = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(large, np.float32) / np.float32(255)


def _solid(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(_enlarged(image, LARGE * SIZE) > 0.5)


def _filled(shape: NDArray[np.bool_], distance: float) -> Gray:
    """Fill whatever is no farther from a shape than a distance in pixels, with smooth edges."""
    away = ndimage.distance_transform_edt(~shape)
    return np.asarray(np.clip(distance + 0.5 - away, 0, 1), np.float32)


def _on_paper(digit: Gray, random: np.random.Generator) -> Gray:
    """Put a digit on paper up to twice its size, tinted, unevenly lit and noisy.

    Paper and ink are of any colour of a light and a dark range, the other way round in half of
    the pictures. Light falls off by up to a quarter; noise deviates by up to 10 of 255 steps.
    """
    side = len(digit)
    rows, columns = (round(side * random.uniform(1, 2)) for _ in range(2))
    top, left = random.integers(0, rows - side + 1), random.integers(0, columns - side + 1)
    cover = np.zeros((rows, columns, 1))
    cover[top : top + side, left : left + side, 0] = digit
    paper, ink = random.uniform(170, 255, 3), random.uniform(0, 80, 3)
    if random.random() < 0.5:
        paper, ink = 255 - paper, 255 - ink
    y, x = np.linspace(-1, 1, rows)[:, np.newaxis], np.linspace(-1, 1, columns)[np.newaxis]
    angle, fall = random.uniform(0, 2 * np.pi), random.uniform(0, 0.25)
    light = 1 - fall * (1 + x * np.cos(angle) / 2 + y * np.sin(angle) / 2) / 2
    noise = random.normal(0, random.uniform(0, 10), (rows, columns, 1))
    picture = (paper + (ink - paper) * cover) * light[:, :, np.newaxis] + noise
    return np.asarray(np.clip(picture, 0, 255).astype(np.uint8), np.float32)


def prepare(way: str, first: int, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Redraw images and prepare them again.

    Parameters
    ----------
    way
        A name in `WAYS`.
    first
        The number of the first image; with the seed and the way, all that is random follows
        from an image's number.
    images : ndarray of uint8, shape (n, 784)

    Returns
    -------
    ndarray of uint8, shape (n, 784)
        Blank where not exactly one digit was found.
    """
    found = np.zeros_like(images)
    for row, image in enumerate(images):
        random = np.random.default_rng([SEED, list(WAYS).index(way), first + row])
        try:
            digits = preparation.digits(WAYS[way](image.reshape(SIZE, SIZE), random))
        except PictureError:
            continue
        if len(digits) == 1:
            found[row] = digits[0]
    return found


def prepare_all(
    way: str, images: NDArray[np.uint8], workers: ProcessPoolExecutor
) -> NDArray[np.uint8]:
    """Redraw and prepare all images, on all processors."""
    starts = range(0, len(images), IMAGES_PER_CHUNK)
    parts = [images[start : start + IMAGES_PER_CHUNK] for start in starts]
    prepared = []
    with progress(way, len(images)) as advance:
        for part in workers.map(partial(prepare, way), starts, parts):
            prepared.append(part)
            advance(len(part))
    return np.concatenate(prepared)


def accuracies(
    predictors: Mapping[str, Predictor], images: NDArray[np.uint8], labels: NDArray[np.integer]
) -> dict[str, float]:
    """Give the fraction of images that each run reads right; a blank one is wrong."""
    legible = images.any(axis=1)
    return {
        name: int(
            ((predictor.predict(images).probabilities.argmax(axis=1) == labels) & legible).sum()
        )
        / len(labels)
        for name, predictor in predictors.items()
    }


def table(measured: Mapping[str, Mapping[str, float]]) -> str:
    """Show what was measured as a Markdown table."""
    columns = list(next(iter(measured.values())))
    rows = [["Test digits", *columns], ["---", *["--:" for _ in columns]]]
    rows += [
        [way, *(f"{values[name]:.2%}" for name in columns)] for way, values in measured.items()
    ]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def with_table(document: str, rows: str) -> str:
    """Replace the table in a document, between the marks."""
    before, _, rest = document.partition(BEGIN)
    return before + BEGIN + rows + END + rest.partition(END)[2]


def main() -> None:
    """Read the test images and the weights, measure, and write the results."""
    argument_parser("extras.handwriting.study", __doc__).parse_args()
    config = load_config()
    predictors = {name: load_predictor(name, config) for name in config.runs}
    test = load_split(TEST)
    measured = {"not prepared": accuracies(predictors, test.features, test.labels)}
    measured["not prepared"]["not one digit"] = 0.0
    # Spawned, because a fork of a process with threads may wait for ever.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as workers:
        for way in WAYS:
            images = prepare_all(way, test.features, workers)
            measured[way] = accuracies(predictors, images, test.labels)
            measured[way]["not one digit"] = 1 - float(images.any(axis=1).mean())
            echo(
                f"{way}: "
                + ", ".join(f"{name} {value:.2%}" for name, value in measured[way].items())
            )
    atomic_write(MEASURED, json.dumps(measured, indent=2).encode() + b"\n")
    atomic_write(
        DOCUMENT, with_table(DOCUMENT.read_text(encoding="utf-8"), table(measured)).encode()
    )
    for name in predictors:
        loss = measured["not prepared"][name] - measured["on paper"][name]
        if loss > MAX_LOSS:
            raise CommandError(
                f"{name}: reads {loss * 100:.2f} points fewer on paper, should be at most "
                f"{MAX_LOSS * 100:.0f}"
            )


if __name__ == "__main__":
    run(main)
