"""The figures of a dataset whose examples are images: grids of them, and the first weights.

ADAPT: the only module that knows what an example looks like. Of examples that are not images it
draws nothing. Replace it with figures of your own examples, or delete it and its lines in
stages/report/__main__.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.report import style
from stages.report.figures import ReportFigure
from stages.report.run_results import ReportData, RunResults
from stages.report.style import COLUMN, INK, PAGE, VERMILLION

FEW_COLUMNS, MANY_COLUMNS, MISTAKES_COLUMNS = 4, 10, 5


def draw_run(data: ReportData, run: RunResults) -> dict[str, ReportFigure]:
    """Draw one run if the examples are grey or colour images; figures by the names of files."""
    shape = data.description.example_shape
    is_image = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
    if not is_image or math.prod(shape) != math.prod(data.description.feature_shape):
        return {}
    images = data.test.features.reshape(-1, *shape)
    figures = {
        "images": random_images(data, run, images, FEW_COLUMNS),
        "mistakes": confident_mistakes(data, run, images),
    }
    first_layers = [array for array in run.weights.values() if len(array) == math.prod(shape)]
    if first_layers and len(shape) == 2:
        figures["weights"] = first_weights(run.name, first_layers[0].T.reshape(-1, *shape))
    return figures | {"more_images": random_images(data, run, images, MANY_COLUMNS)}


def random_images(
    data: ReportData, run: RunResults, images: NDArray[Any], columns: int
) -> ReportFigure:
    """Draw a square of test images with their predictions; a large one begins with a small one."""
    seed, is_wide = data.config.report.grid_seed, columns > FEW_COLUMNS
    rows = np.random.default_rng(seed).permutation(len(images))[: columns**2]
    predictions, classes = run.predictions.iloc[rows], data.description.classes
    title = f"{run.name}: {len(rows)} test images, drawn with seed {seed}"
    above = [f"Predict: {classes[predicted]}" for predicted in predictions["predicted"]]
    below = _truths(predictions, classes)
    return ReportFigure(
        _grid(title, images[rows], above, below, (columns, PAGE if is_wide else COLUMN)),
        f"{title}; {_mistakes_in_words(predictions, classes)}",
        "Test images with their predictions. A misclassified image is framed, with its true class "
        "below.",
        is_wide,
    )


def confident_mistakes(data: ReportData, run: RunResults, images: NDArray[Any]) -> ReportFigure:
    """Draw the misclassified test images of the highest probability."""
    worst, classes = run.mistakes.head(MISTAKES_COLUMNS**2), data.description.classes
    title = f"{run.name}: {len(worst)} of {len(run.mistakes):,} mistakes, the most confident first"
    above = [
        f"Predict: {classes[predicted]}\nat {_confidence(probability)}"
        for predicted, probability in zip(worst["predicted"], worst["probability"], strict=True)
    ]
    below = _truths(worst, classes)
    return ReportFigure(
        _grid(title, images[worst.index], above, below, (MISTAKES_COLUMNS, COLUMN)),
        f"{title}; {_mistakes_in_words(worst, classes)}",
        "The most confident mistakes, with the probability of the predicted class.",
    )


def _truths(predictions: pd.DataFrame, classes: Sequence[str]) -> list[str]:
    """Return the true class of each misclassified example, and an empty text for the others."""
    return [
        f"true: {classes[label]}" if label != predicted else ""
        for label, predicted in zip(predictions["label"], predictions["predicted"], strict=True)
    ]


def _confidence(probability: float) -> str:
    # No prediction is certain: 99.996% must not be rounded to 100.00%.
    return "> 99.99%" if probability > 0.9999 else f"{probability:.2%}"


def _mistakes_in_words(predictions: pd.DataFrame, classes: Sequence[str]) -> str:
    wrong = predictions[predictions["label"] != predictions["predicted"]]
    pairs = zip(wrong["label"], wrong["predicted"], strict=True)
    words = ", ".join(f"{classes[label]} as {classes[predicted]}" for label, predicted in pairs)
    return f"{len(wrong)} misclassified" + (f": {words}" if words else "")


def _grid(
    title: str,
    images: NDArray[Any],
    above: Sequence[str],
    below: Sequence[str],
    layout: tuple[int, float],
) -> bytes:
    """Draw images with text above and below; one with text below is framed.

    The layout is the number of columns, and the width in inches.
    """
    columns, width = layout
    rows = max(1, -(-len(images) // columns))
    lines = [line for text in [*above, *below, ""] for line in text.splitlines()]
    size = min(11, width * 100 / columns / max(map(len, lines), default=1))
    text_lines = 2 + max((text.count("\n") for text in above), default=0)
    high, wide = images.shape[1:3]
    row_height = 0.9 * width / columns * high / wide + text_lines * size / 50
    figure = style.new_figure(width, rows * row_height + 0.4)
    figure.suptitle(style.wrap(title, width), size=11, x=0.01, ha="left")
    panels = iter(figure.subplots(rows, columns, squeeze=False).flat)
    limits = {"vmin": images.min(initial=0), "vmax": images.max(initial=0)}
    for image, over, under, panel in zip(images, above, below, panels, strict=False):
        colour, line_width = (VERMILLION, 2.5) if under else ("#d8d8d8", 0.5)
        panel.imshow(image, cmap="gray_r", interpolation="nearest", **limits)
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set(visible=True, color=colour, linewidth=line_width)
        ink = VERMILLION if under else INK
        panel.set_title(over, size=size, color=ink, loc="center", pad=3)
        panel.set_xlabel(under, size=size, color=ink, labelpad=2)
    for panel in panels:
        panel.set_visible(False)
    return style.png(figure)


def first_weights(name: str, units: NDArray[np.float32]) -> ReportFigure:
    """Draw the weights of each unit of the first layer; shape (units, rows, columns)."""
    title = f"{name}: the weights of each unit of the first layer"
    mosaic = _mosaic(units)
    # The maximum would leave all but a few weights pale.
    limit = float(np.percentile(np.abs(units), 99.5)) or 1.0
    figure = style.new_figure(PAGE, PAGE * mosaic.shape[0] / mosaic.shape[1] + 1.2)
    axes = figure.add_subplot(title=style.wrap(title, PAGE))
    axes.set_axis_off()
    colours = mpl.colormaps["RdBu_r"].resampled(33)  # odd: one is for 0; few: a small file
    image = axes.imshow(mosaic, cmap=colours, vmin=-limit, vmax=limit, interpolation="nearest")
    figure.colorbar(
        image, location="bottom", extend="both", aspect=40, shrink=0.5, label="weight of a pixel"
    )
    return ReportFigure(
        style.png(figure),
        f"{title}, {len(units)} images, from {units.min():.2f} to {units.max():.2f}",
        "What each unit of the first layer responds to: a bright pixel raises its value where the "
        "weight is red, and lowers it where it is blue. The colours end at the 99.5th percentile "
        "of the absolute weights.",
        is_wide=True,
    )


def _mosaic(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return images, shape (n, rows, columns), as one image, with NaN between them."""
    count, high, wide = images.shape
    gap = max(1, wide // 14)
    columns = max(1, round(math.sqrt(2 * count)))
    rows = -(-count // columns)
    tiles = np.full((rows * columns, high + gap, wide + gap), np.nan, np.float32)
    tiles[:count, :high, :wide] = images
    by_row = tiles.reshape(rows, columns, high + gap, wide + gap).swapaxes(1, 2)
    return by_row.reshape(rows * (high + gap), columns * (wide + gap))[:-gap, :-gap]
