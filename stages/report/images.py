"""The figures of a dataset whose examples are images: grids of them.

ADAPT: the only module that knows what an example looks like. It draws nothing if examples are not
images. Replace it with figures of your own examples, or delete it and its line in
stages/report/report.py.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from stages.report import style
from stages.report.run_results import ReportData, RunResults
from stages.report.style import COLUMN, PAGE, VERMILLION, ReportFigure


def draw_run(data: ReportData, run: RunResults) -> dict[str, ReportFigure]:
    """Draw one run if the examples are grey or colour images; figures by the names of files."""
    shape = data.description.example_shape
    is_image = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
    if not is_image or math.prod(shape) != math.prod(data.description.feature_shape):
        return {}
    seed, worst = data.config.report.grid_seed, run.mistakes.head(25)
    order = np.random.default_rng(seed).permutation(len(run.predictions))
    figures = {}
    for name, columns, width in (("images", 4, COLUMN), ("more_images", 10, PAGE)):
        sample = run.predictions.iloc[order[: columns**2]]
        title = f"{run.name}: {len(sample)} test images, drawn with seed {seed}"
        figures[f"{run.name}/{name}"] = image_grid(data, sample, title, columns, width)
    if len(worst):
        title = f"{run.name}: {len(worst)} of {len(run.mistakes):,} mistakes, most confident first"
        figures[f"{run.name}/mistakes"] = image_grid(data, worst, title, 5, COLUMN)
    return figures


def image_grid(
    data: ReportData, predictions: pd.DataFrame, title: str, columns: int, width: float
) -> ReportFigure:
    """Draw the images of some predictions, and frame the misclassified."""
    classes = data.description.classes
    images = data.test.features.reshape(-1, *data.description.example_shape)[predictions.index]
    texts, mistakes = [], []
    for label, predicted, probability in predictions.itertuples(index=False):
        texts.append(f"Predict: {classes[predicted]}")
        if label != predicted:
            texts[-1] += f"\nat {_percent(probability)}\ntrue: {classes[label]}"
            mistakes.append(f"{classes[label]} as {classes[predicted]}")
    figure = _draw_grid(style.wrap(title, width), images, texts, columns, width)
    alt = "; ".join([title, f"{len(mistakes)} misclassified", *mistakes])
    caption = (
        "Test images. A misclassified one is framed; above it are the probability of the predicted "
        "class and the true class."
    )
    return ReportFigure(style.png(figure), alt, caption, is_wide=width == PAGE)


def _percent(probability: float) -> str:
    # No prediction is certain: 99.996% must not be rounded to 100.00%.
    return "> 99.99%" if probability > 0.9999 else f"{probability:.2%}"


def _draw_grid(
    title: str, images: NDArray[Any], texts: list[str], columns: int, width: float
) -> Figure:
    """Draw all images as one, because a hundred pairs of axes would take seconds.

    An image with more than one line of text is framed.
    """
    high, wide, *colours = images.shape[1:]
    gap = math.ceil(wide / 28)
    pixel = 72 * width / columns / (wide + 2 * gap)  # in points
    lines = [text.split("\n") for text in texts]
    size = min(11, 1.5 * wide * pixel / max(len(line) for text in lines for line in text))
    room = math.ceil((6 + size * (0.3 + 1.25 * max(map(len, lines)))) / pixel)
    white = images.min() if colours in ([], [1]) else 255 if images.dtype == np.uint8 else 1
    margins = [(0, -len(images) % columns), (room, gap), (gap, gap), (0, 0)]
    tiles = np.pad(images, margins[: images.ndim], constant_values=white)
    rows = np.split(tiles, len(tiles) // columns)
    mosaic = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    heading, height = 25 + 15 * title.count("\n"), len(mosaic) * pixel
    figure = Figure(figsize=(width, (heading + height) / 72))
    axes = figure.add_axes((0.005, 0, 0.99, height / (heading + height)), title=title)
    axes.imshow(mosaic, cmap="gray_r", interpolation="nearest")
    axes.set_axis_off()
    for place, text in enumerate(lines):
        left = place % columns * (wide + 2 * gap) + gap - 0.5
        top = place // columns * (room + high + gap) + room - 0.5
        edge, line = (VERMILLION, 2) if len(text) > 1 else ("#d8d8d8", 0.5)
        axes.add_patch(Rectangle((left, top), wide, high, fill=False, ec=edge, lw=line))
        over = top - (2 + size / 5) / pixel
        axes.text(left + wide / 2, over, texts[place], size=size, ha="center", va="bottom")
    return figure
