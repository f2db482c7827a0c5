"""The figures of a dataset whose examples are images: grids of them.

ADAPT: the only module that knows what an example looks like. It draws nothing if examples are not
images. Replace it with figures of your own examples, or delete it and its lines in
stages/report/__main__.py.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from stages.report import style
from stages.report.pages import ReportFigure
from stages.report.run_results import ReportData, RunResults
from stages.report.style import COLUMN, INK, PAGE, VERMILLION


@dataclass(frozen=True)
class Grid:
    """A square grid: images per row, width in inches, caption, whether all are misclassified."""

    columns: int
    width: float
    caption: str
    is_mistakes: bool = False


CAPTION = "Test images. A misclassified one is framed, with its true class below."
FEW, MANY = Grid(4, COLUMN, CAPTION), Grid(10, PAGE, CAPTION)
CAPTION_OF_MISTAKES = "The most confident mistakes, with the probability of the predicted class."
MISTAKES = Grid(5, COLUMN, CAPTION_OF_MISTAKES, is_mistakes=True)


def draw_run(data: ReportData, run: RunResults) -> dict[str, ReportFigure]:
    """Draw one run if the examples are grey or colour images; figures by the names of files."""
    shape = data.description.example_shape
    is_image = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
    if not is_image or math.prod(shape) != math.prod(data.description.feature_shape):
        return {}
    seed, worst = data.config.report.grid_seed, run.mistakes.head(MISTAKES.columns**2)
    order = np.random.default_rng(seed).permutation(len(run.predictions))
    figures = {}
    for name, grid in {"images": FEW, "more_images": MANY}.items():
        sample = run.predictions.iloc[order[: grid.columns**2]]
        title = f"{run.name}: {len(sample)} test images, drawn with seed {seed}"
        figures[name] = image_grid(data, sample, grid, title)
    if len(worst):
        title = f"{run.name}: {len(worst)} of {len(run.mistakes):,} mistakes, most confident first"
        figures["mistakes"] = image_grid(data, worst, MISTAKES, title)
    return figures


def image_grid(data: ReportData, predictions: pd.DataFrame, grid: Grid, title: str) -> ReportFigure:
    """Draw the images of some predictions; a misclassified one with its true class below."""
    classes, wrong = data.description.classes, predictions["label"] != predictions["predicted"]
    images = data.test.features.reshape(-1, *data.description.example_shape)[predictions.index]
    above = [f"Predict: {classes[label]}" for label in predictions["predicted"]]
    below = [
        f"true: {classes[label]}" if is_wrong else ""
        for label, is_wrong in zip(predictions["label"], wrong, strict=True)
    ]
    if grid.is_mistakes:
        shares = map(_percent, predictions["probability"])
        above = [f"{text}\nat {share}" for text, share in zip(above, shares, strict=True)]
    figure = _draw_grid(style.wrap(title, grid.width), images, above, below, grid)
    pairs = predictions.loc[wrong, ["label", "predicted"]].to_numpy()
    words = ", ".join(f"{classes[label]} as {classes[predicted]}" for label, predicted in pairs)
    alt = f"{title}; {len(pairs)} misclassified" + (f": {words}" if words else "")
    return ReportFigure(style.png(figure), alt, grid.caption, is_wide=grid.width == PAGE)


def _percent(probability: float) -> str:
    # No prediction is certain: 99.996% must not be rounded to 100.00%.
    return "> 99.99%" if probability > 0.9999 else f"{probability:.2%}"


def _draw_grid(
    title: str, images: NDArray[Any], above: list[str], below: list[str], grid: Grid
) -> Figure:
    """Draw on one pair of axes, in inches, because a hundred pairs would take seconds."""
    cell = grid.width / grid.columns
    wide = 0.92 * cell
    high = wide * images.shape[1] / images.shape[2]
    size = min(11, 110 * wide / max(len(line) for line in "\n".join(above + below).splitlines()))
    line = size / 54
    heading, text_above = 0.3 + 0.2 * title.count("\n"), (1.4 + above[0].count("\n")) * line
    row_height = text_above + high + 1.4 * line
    figure = Figure(figsize=(grid.width, heading + row_height * -(-len(images) // grid.columns)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.text(0.04 * cell, 0.08, title, size=11, va="top")
    limits = {"vmin": images.min(), "vmax": images.max()}
    for place, (image, over, under) in enumerate(zip(images, above, below, strict=True)):
        left = place % grid.columns * cell + 0.04 * cell
        top = heading + place // grid.columns * row_height + text_above
        extent = (left, left + wide, top + high, top)
        axes.imshow(image, cmap="gray_r", extent=extent, interpolation="nearest", **limits)
        framed = bool(under) and not grid.is_mistakes
        edge, width = (VERMILLION, 2.5) if framed else ("#d8d8d8", 0.5)
        axes.add_patch(
            Rectangle((left, top), wide, high, fill=False, edgecolor=edge, linewidth=width)
        )
        text: Any = {"size": size, "ha": "center", "color": VERMILLION if framed else INK}
        axes.text(left + wide / 2, top - 0.2 * line, over, va="bottom", **text)
        axes.text(left + wide / 2, top + high + 0.2 * line, under, va="top", **text)
    axes.set(xlim=(0, figure.get_figwidth()), ylim=(figure.get_figheight(), 0), aspect="auto")
    axes.set_axis_off()
    return figure
