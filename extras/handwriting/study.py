"""Measure how well test digits are read from pictures, beside the twenty lines everybody writes.

    python -m extras.handwriting.study --images 1000

Test images are redrawn in several ways, prepared, and predicted by every run; pictures without
ink should be refused. The tables in extras/handwriting/README.md are written again. Fails if a run
loses more than 2 points on paper.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import partial
from io import BytesIO
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from common.inference import probabilities
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_otsu

from common.config import load_config
from common.splits import load_split
from extras.handwriting.drawing import NO_INK, WAYS, without_ink
from extras.handwriting.pictures import PictureError, Pixels, decode
from extras.handwriting.predictor import Predictor, load_predictor
from extras.handwriting.preparation import BOX, SIZE, prepare
from support.command_line import CommandError, argument_parser, progress, run
from support.files import atomic_write

TEST = Path("data/flat/test.npz")
README = Path("extras/handwriting/README.md")
BEGIN, END = "<!-- measured -->\n", "<!-- end of measured -->\n"
SEED = 1
MAX_LOSS = 0.02
PLAIN, PAPER, LINES = "not prepared", "on paper", "lines of 2 to 10 digits"
LARGE_SIDES = (4000, 3000)

Images = NDArray[np.uint8]
Row = Mapping[str, float]


def twenty_lines(picture: Pixels) -> Images:
    """Return the image that everybody makes: grey, inverted, Otsu, cut out, centred by mass."""
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


def redraw(way: str, number: int, images: Images) -> tuple[Images, Images]:
    """Redraw the digits of one picture and prepare them again, here and in twenty lines.

    All that is random follows from the picture's number. Blank where another number of digits was
    found, and in twenty lines where there are several.
    """
    random = np.random.default_rng([SEED, list(WAYS).index(way), number])
    picture = WAYS[way](images.reshape(-1, SIZE, SIZE), random)
    blank = np.zeros_like(images)
    try:
        ours = prepare(picture).images
    except PictureError:
        ours = blank
    theirs = twenty_lines(picture) if len(images) == 1 else blank
    return ours if len(ours) == len(images) else blank, theirs


def takes_for_digits(number: int) -> tuple[bool, bool]:
    """Return whether a picture without ink is read, as it is done here and in twenty lines."""
    random = np.random.default_rng([SEED, number])
    picture = without_ink(NO_INK[number % len(NO_INK)], random)
    try:
        prepare(picture)
    except PictureError:
        return False, bool(twenty_lines(picture).any())
    return True, bool(twenty_lines(picture).any())


def measure_ways(
    predictors: Mapping[str, Predictor],
    images: Images,
    labels: NDArray[np.integer],
    workers: ProcessPoolExecutor,
) -> dict[str, Row]:
    """Return the accuracy of each run, in each way to draw, and the share of digits not found."""
    sizes = np.random.default_rng(SEED).integers(2, 11, len(images))
    ends = np.cumsum(sizes)
    starts = np.concatenate([[0], ends[ends < len(images)]])
    table = {PLAIN: _shares(_correct(predictors, images, images, labels))}
    for way in WAYS:
        places = starts[1:] if way == LINES else range(1, len(images))
        pictures = np.split(images, places)
        with progress(way, len(pictures)) as advance:
            results = []
            for result in workers.map(partial(redraw, way), count(), pictures, chunksize=10):
                results.append(result)
                advance(1)
        ours, theirs = (np.concatenate(column) for column in zip(*results, strict=True))
        columns = _correct(predictors, ours, theirs, labels)
        if way == LINES:
            table[f"{way}, each digit"] = _shares(columns)
            columns = {t: np.logical_and.reduceat(c, starts) for t, c in columns.items()}
        table[f"{way}, the whole line" if way == LINES else way] = _shares(columns)
    return table


def _correct(
    predictors: Mapping[str, Predictor], ours: Images, theirs: Images, labels: NDArray[np.integer]
) -> dict[str, NDArray[np.bool_]]:
    columns = {}
    for name, predictor in predictors.items():
        for title, images in ((name, ours), (f"{name}, twenty lines", theirs)):
            predicted = probabilities(predictor.weights, images).argmax(axis=1)
            columns[title] = (predicted == labels) & images.any(axis=1)
    return columns | {"not found": ~ours.any(axis=1)}


def _shares(columns: Mapping[str, NDArray[np.bool_]]) -> Row:
    return {title: float(column.mean()) for title, column in columns.items()}


def measure_refusals(pictures: int, workers: ProcessPoolExecutor) -> dict[str, Row]:
    """Return how many pictures without ink are taken for digits, by what they show."""
    answers = np.array(list(workers.map(takes_for_digits, range(pictures), chunksize=10)))
    kinds = {kind: answers[i :: len(NO_INK)] for i, kind in enumerate(NO_INK)} | {"all": answers}
    return {
        kind: dict(zip(("read as digits", "twenty lines"), part.mean(axis=0), strict=True))
        for kind, part in kinds.items()
    }


def seconds_per_picture(images: Images, pictures: int) -> float:
    """Return how long it takes to decode and prepare a JPEG file of 12 megapixels, on average."""
    files = []
    for number in range(pictures):
        digit = images[number % len(images)].reshape(1, SIZE, SIZE)
        picture = WAYS[PAPER](digit, np.random.default_rng([SEED, number])).astype(np.uint8)
        file = BytesIO()
        Image.fromarray(picture).resize(LARGE_SIDES).save(file, "JPEG")
        files.append(file)
    start = time.perf_counter()
    for file in files:
        with suppress(PictureError):
            prepare(decode(file)[0])
    return (time.perf_counter() - start) / len(files)


def markdown(title: str, rows: Mapping[str, Row]) -> str:
    """Return a Markdown table of shares."""
    columns = list(next(iter(rows.values())))
    cells = [[title, *columns], ["---", *["--:" for _ in columns]]]
    cells += [[name, *(f"{row[column]:.2%}" for column in columns)] for name, row in rows.items()]
    return "".join("| " + " | ".join(row) + " |\n" for row in cells)


def with_table(document: str, table: str) -> str:
    """Return a document with other tables between the marks."""
    before, _, rest = document.partition(BEGIN)
    return before + BEGIN + table + END + rest.partition(END)[2]


def main() -> None:
    """Load the test images and the weights, measure, and write the tables."""
    parser = argument_parser("extras.handwriting.study", __doc__)
    parser.add_argument("--images", type=int, default=1000, help="how many, from the first on")
    arguments = parser.parse_args()
    config = load_config()
    predictors = {name: load_predictor(name, config) for name in config.runs}
    test = load_split(TEST)
    number = min(max(arguments.images, 22), len(test))
    images, labels = test.features[:number], test.labels[:number]
    # Spawned, because a fork of a process with threads may wait for ever.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as workers:
        ways = measure_ways(predictors, images, labels, workers)
        refusals = measure_refusals(number // 2, workers)
    seconds = seconds_per_picture(images, number // 10)
    speed = (
        f"{number // 10} pictures of 12 megapixels take {seconds:.2f} s "
        "each, decoding included, on one processor of the machine of this measurement.\n"
    )
    tables = [
        markdown(f"{number:,} test digits", ways),
        markdown(f"{number // 2} pictures without ink", refusals),
        speed,
    ]
    document = with_table(README.read_text(encoding="utf-8"), "\n".join(tables))
    atomic_write(README, document.encode())
    for name in predictors:
        loss = ways[PLAIN][name] - ways[PAPER][name]
        if loss > MAX_LOSS:
            raise CommandError(
                f"{name}: predicts {loss * 100:.2f} points fewer correctly on paper, should be at "
                f"most {MAX_LOSS * 100:.0f}"
            )


if __name__ == "__main__":
    run(main)
