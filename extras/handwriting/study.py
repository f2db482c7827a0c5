"""Measure how well test digits are read from pictures, beside the twenty lines everybody writes.

    python -m extras.handwriting.study --images 1000

Test images are redrawn in several ways, prepared by extras/handwriting/preparation.py, and
predicted by every run. The table in extras/handwriting/README.md is written again. Fails if a run
loses more than 2 points on paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.atomic import atomic_write
from common.command_line import CommandError, argument_parser, echo, progress, run
from common.config import load_config
from common.inference import probabilities
from common.splits import Split, load_split
from extras.handwriting.drawing import WAYS, twenty_lines
from extras.handwriting.predictor import Predictor, load_predictor
from extras.handwriting.preparation import SIZE, PictureError, prepare

TEST = Path("data/flat/test.npz")
README = Path("extras/handwriting/README.md")
BEGIN, END = "<!-- measured -->\n", "<!-- end of measured -->\n"

SEED = 1
MAX_LOSS = 0.02
PLAIN, PAPER, LINES = "not prepared", "on paper", "lines of 2 to 10 digits"
PICTURES_PER_CHUNK = 50

Images = NDArray[np.uint8]
Row = Mapping[str, float]


def redraw(way: str, first: int, pictures: Sequence[Images]) -> tuple[Images, Images]:
    """Redraw digits and prepare them again, as it is done here and in twenty lines.

    Parameters
    ----------
    way
        A name in `WAYS`.
    first
        The number of the first picture. All that is random follows from a picture's number.
    pictures
        The digits of each picture; uint8 (n, 784).

    Returns
    -------
    ours, theirs : ndarray of uint8, shape (digits, 784)
        Blank for all digits of a picture in which another number of digits was found.
    """
    ours, theirs = [], []
    for number, images in enumerate(pictures, first):
        random = np.random.default_rng([SEED, list(WAYS).index(way), number])
        picture = WAYS[way](images.reshape(-1, SIZE, SIZE), random)
        prepared, simple = np.zeros_like(images), np.zeros_like(images)
        try:
            digits = prepare(picture).images
        except PictureError:
            digits = prepared[:0]
        if len(digits) == len(images):
            prepared = digits
        if len(images) == 1:
            simple = twenty_lines(picture)
        ours.append(prepared)
        theirs.append(simple)
    return np.concatenate(ours), np.concatenate(theirs)


def redraw_all(
    way: str, pictures: Sequence[Images], workers: ProcessPoolExecutor
) -> tuple[Images, Images]:
    """Redraw and prepare all pictures, on all processors."""
    starts = range(0, len(pictures), PICTURES_PER_CHUNK)
    chunks = [pictures[start : start + PICTURES_PER_CHUNK] for start in starts]
    results = []
    with progress(way, len(pictures)) as advance:
        for result in workers.map(partial(redraw, way), starts, chunks):
            results.append(result)
            advance(PICTURES_PER_CHUNK)
    ours, theirs = zip(*results, strict=True)
    return np.concatenate(ours), np.concatenate(theirs)


def measure(
    predictors: Mapping[str, Predictor], ours: Images, theirs: Images, labels: NDArray[np.integer]
) -> dict[str, NDArray[np.bool_]]:
    """Return which digits are correct, by run, and in twenty lines; and which were not found."""
    columns = {}
    for name, predictor in predictors.items():
        for title, images in ((name, ours), (f"{name}, twenty lines", theirs)):
            predicted = probabilities(predictor.weights, images).argmax(axis=1)
            columns[title] = (predicted == labels) & images.any(axis=1)
    return columns | {"not found": ~ours.any(axis=1)}


def measure_all(predictors: Mapping[str, Predictor], test: Split) -> dict[str, Row]:
    """Measure every way to draw; the columns are as `measure` names them."""
    singles = [test.features[[i]] for i in range(len(test))]
    sizes = np.random.default_rng(SEED).integers(2, 11, len(test))
    ends = np.minimum(np.cumsum(sizes), len(test))
    ends = ends[: int(np.argmax(ends)) + 1]
    lines = np.split(test.features, ends[:-1])
    table = {PLAIN: _shares(measure(predictors, test.features, test.features, test.labels))}
    # Spawned, because a fork of a process with threads may wait for ever.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as workers:
        for way in WAYS:
            ours, theirs = redraw_all(way, lines if way == LINES else singles, workers)
            columns = measure(predictors, ours, theirs, test.labels)
            if way == LINES:
                table[f"{way}, each digit"] = _shares(columns)
                starts = np.concatenate([[0], ends[:-1]])
                columns = {t: np.logical_and.reduceat(c, starts) for t, c in columns.items()}
            title = f"{way}, the whole line" if way == LINES else way
            table[title] = _shares(columns)
            echo(
                f"{way}: "
                + ", ".join(f"{name} {value:.2%}" for name, value in table[title].items())
            )
    return table


def _shares(columns: Mapping[str, NDArray[np.bool_]]) -> Row:
    return {title: float(column.mean()) for title, column in columns.items()}


def markdown(measured: Mapping[str, Row], images: int) -> str:
    """Return what was measured as a Markdown table."""
    columns = list(next(iter(measured.values())))
    rows = [[f"{images:,} test digits", *columns], ["---", *["--:" for _ in columns]]]
    rows += [
        [way, *(f"{values[name]:.2%}" for name in columns)] for way, values in measured.items()
    ]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def with_table(document: str, table: str) -> str:
    """Return a document with another table between the marks."""
    before, _, rest = document.partition(BEGIN)
    return before + BEGIN + table + END + rest.partition(END)[2]


def main() -> None:
    """Load the test images and the weights, measure, and write the table."""
    parser = argument_parser("extras.handwriting.study", __doc__)
    parser.add_argument("--images", type=int, default=1000, help="how many, from the first on")
    arguments = parser.parse_args()
    config = load_config()
    predictors = {name: load_predictor(name, config) for name in config.runs}
    test = load_split(TEST)
    count = min(max(arguments.images, 1), len(test))
    measured = measure_all(predictors, Split(test.features[:count], test.labels[:count]))
    document = with_table(README.read_text(encoding="utf-8"), markdown(measured, count))
    atomic_write(README, document.encode())
    for name in predictors:
        loss = measured[PLAIN][name] - measured[PAPER][name]
        if loss > MAX_LOSS:
            raise CommandError(
                f"{name}: predicts {loss * 100:.2f} points fewer correctly on paper, should be at "
                f"most {MAX_LOSS * 100:.0f}"
            )


if __name__ == "__main__":
    run(main)
