"""Pictures, each as the bytes of a PNG file that follow from what is shown alone.

The only module that imports matplotlib. Colours are those of M. Okabe and K. Ito, or told by
lightness, and never the only sign; the font is DejaVu Sans, which matplotlib brings along.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.report.calibration import wilson_interval

# Where matplotlib keeps its list of fonts: in the project, and not in the user's home, whose
# settings would change the pictures.
os.environ["MPLCONFIGDIR"] = str(Path(".cache/matplotlib").resolve())
# A notebook's shell names one that is not installed here.
os.environ["MPLBACKEND"] = "agg"

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

mpl.rcdefaults()
mpl.rcParams.update(
    {
        "font.family": ["DejaVu Sans"],
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.titlepad": 10,
        "axes.edgecolor": "#666666",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e4e4e4",
        "legend.frameon": False,
        "legend.fontsize": 9.5,
    }
)

DOTS_PER_INCH = 160
POINTS_PER_INCH = 72
# A figure takes a column of the page, or all of its width; inches.
COLUMN, PAGE = 6.0, 10.0
# Of DejaVu Sans: the mean width of a character, and the distance of two lines, in font sizes.
CHARACTER_WIDTH, LINE_HEIGHT = 0.6, 1.25

INK, GREY = "#1a1a1a", "#6b6b6b"
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY_BLUE = "#E69F00", "#56B4E9"
# One a run; the mark at a curve's end tells runs apart without the colour.
RUN_COLOURS, RUN_MARKS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE), "os^Dv"
# The shorter a run the wider its curve, so that it is seen under one that goes on.
NARROWEST_CURVE, WIDEST_CURVE = 1.5, 6.5
# Odd, so that one is for 0; more cannot be told apart, and make the file larger.
COLOURS_OF_WEIGHTS = 33
# Of a sweep: panels in a row, and on an axis that has neither 0 nor 1.
PANELS_PER_ROW = 3
ACCURACIES_SHOWN = (0.001, 0.9999)
ACCURACY_TICKS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def _png(figure: Figure) -> bytes:
    # The name and version of the program would be the only thing in it that is not shown.
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()


def _positional(value: float, _: int) -> str:
    """Write the label of an axis with all its digits: 0.00001, not 1e-05."""
    return np.format_float_positional(value, trim="-")


def smoothed(costs: NDArray[np.float64], window_iterations: int) -> NDArray[np.float64]:
    """Give the running median of the costs; shape (iterations,).

    The window is centred. It is narrower at the beginning, where costs fall so fast that one which
    reached farther to the right than to the left would begin too low; at the end it is cut off.

    Parameters
    ----------
    costs : ndarray of float64, shape (iterations,)
    window_iterations
        The full width; an even one is made odd by one more.
    """
    half = window_iterations // 2
    medians = pd.Series(costs).rolling(2 * half + 1, center=True, min_periods=1).median().to_numpy()
    medians = medians.copy()
    for iteration in range(min(half, len(costs))):
        medians[iteration] = np.median(costs[: 2 * iteration + 1])
    return medians


def costs(
    title: str,
    curves: Mapping[str, NDArray[np.float64]],
    window_iterations: int,
    published: Mapping[int, float],
) -> bytes:
    """Draw the cost of each iteration, on a logarithmic axis.

    A point each cost, and the running median as a line. Where there are several runs the axis of
    the iterations is logarithmic, too, for one may be ten times as long as another.

    Parameters
    ----------
    title
        Above the picture.
    curves
        A run's costs by its name, in nats, from iteration 0 on.
    window_iterations
        Of the running median.
    published
        Costs that somebody else has printed, in nats, by iteration; may be empty.
    """
    several = len(curves) > 1
    figure = Figure(figsize=(PAGE, 4.8) if several else (COLUMN, 4.6), layout="constrained")
    axes = figure.add_subplot()
    first = 1 if several else 0  # a logarithmic axis has no 0
    styles = dict(zip(curves, cycle(zip(RUN_COLOURS, RUN_MARKS, strict=True)), strict=False))
    shortest_first = sorted(curves.items(), key=lambda curve: len(curve[1]))
    widths = np.linspace(WIDEST_CURVE, NARROWEST_CURVE, len(curves)) if several else [2]
    for (run, values), width in zip(shortest_first, widths, strict=True):
        colour, mark = styles[run]
        iterations = np.arange(first, first + len(values))
        median = smoothed(values, window_iterations)
        axes.plot(
            iterations, values, ".", color=colour, alpha=0.35, mew=0, zorder=1,
            markersize=float(np.clip(100 / np.sqrt(len(values)), 2, 5)),
        )  # fmt: skip
        axes.plot(
            iterations, median, color=colour, linewidth=width, zorder=3,
            marker=mark, markevery=[-1], markersize=10, mec="white",
            label=f"{run}: running median of {window_iterations} costs",
        )  # fmt: skip
    axes.plot([], [], ".", color=GREY, markersize=6, mew=0, label="cost of one batch")
    if published:
        axes.plot(
            [iteration + first for iteration in published], list(published.values()), "X",
            color="white", mec=INK, markersize=8, zorder=5, clip_on=False,
            label="printed in the tutorial",
        )  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(_positional))
    axes.set_ylabel("batch cost (nats)")
    longest = max(len(values) for values in curves.values())
    if several:
        axes.set_xscale("log")
        axes.set_xlim(1, max(2, longest * 1.2))
        axes.set_xlabel("iteration, counted from 1")
    else:
        axes.set_xlim(0, longest * 1.03)
        axes.set_xlabel("iteration")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_title(title)
    figure.legend(loc="outside lower left", ncols=2 if several else 1)
    return _png(figure)


def digits(
    title: str,
    images: NDArray[np.uint8],
    answers: pd.DataFrame,
    classes: Sequence[str],
    *,
    columns: int,
    width: float,
) -> bytes:
    """Draw images with what the network takes each for; a wrong one is framed, with the truth.

    Parameters
    ----------
    title
        Above the picture.
    images : ndarray of uint8, shape (n, rows, columns)
        Brightness in [0, 255]; drawn dark on light.
    answers
        ``label`` and ``predicted`` of each image.
    classes
        The name of each label.
    columns
        Images in a row.
    width
        Inches.
    """
    above = [f"Predict: {classes[predicted]}" for predicted in answers["predicted"]]
    wrong = (answers["label"] != answers["predicted"]).to_list()
    below = [
        f"truth: {classes[label]}" if is_wrong else ""
        for label, is_wrong in zip(answers["label"], wrong, strict=True)
    ]
    return _captioned(title, images, above, below, wrong, columns=columns, width=width)


def mistakes(
    title: str,
    images: NDArray[np.uint8],
    answers: pd.DataFrame,
    classes: Sequence[str],
    columns: int,
) -> bytes:
    """Draw images that the network takes for something else, with how sure it is.

    Parameters
    ----------
    title, images, classes, columns
        As for `digits`.
    answers
        ``label``, ``predicted`` and ``probability`` of each image.
    """
    above = [
        f"Predict: {classes[predicted]}\nat {_confidence(probability)}"
        for predicted, probability in zip(answers["predicted"], answers["probability"], strict=True)
    ]
    below = [f"truth: {classes[label]}" for label in answers["label"]]
    return _captioned(
        title, images, above, below, [False] * len(below), columns=columns, width=COLUMN
    )


def _confidence(probability: float) -> str:
    # Nothing is ever certain: 99.996% must not be shown as 100.00%.
    return "> 99.99%" if probability > 0.9999 else f"{probability:.2%}"


def _captioned(
    title: str,
    images: NDArray[np.uint8],
    above: Sequence[str],
    below: Sequence[str],
    framed: Sequence[bool],
    *,
    columns: int,
    width: float,
) -> bytes:
    """Draw images in rows, each with text above and below, a pixel as a whole number of dots."""
    rows = -(-len(images) // columns) or 1
    high, wide = images.shape[1:]
    gap = wide / 6
    dots = max(1, int(width * DOTS_PER_INCH / (columns * (wide + gap))))
    unit = dots / DOTS_PER_INCH * POINTS_PER_INCH  # points a pixel of an image
    longest = max((len(line) for text in [*above, *below] for line in text.splitlines()), default=1)
    size = min(11, (wide + gap) * unit / (longest * CHARACTER_WIDTH))
    line = size * LINE_HEIGHT / unit
    head = (max((text.count("\n") for text in above), default=0) + 1.3) * line
    foot = 1.3 * line if any(below) else 0
    across, down = wide + gap, head + high + foot + gap / 3
    heading = 28 / unit
    figure = Figure(
        figsize=(
            columns * across * unit / POINTS_PER_INCH,
            (rows * down + heading) * unit / POINTS_PER_INCH,
        ),
    )
    axes = _plain_axes(figure)
    axes.set_xlim(0, columns * across)
    axes.set_ylim(rows * down, -heading)
    axes.text(gap / 2, -heading / 2, title, size=11, va="center", color=INK)
    if not len(images):
        axes.text(gap / 2, down / 2, "none", size=11, va="center", color=INK)
    for place, (image, over, under, is_framed) in enumerate(
        zip(images, above, below, framed, strict=True)
    ):
        left = place % columns * across + gap / 2
        top = place // columns * down + head
        middle = left + wide / 2
        colour = VERMILLION if is_framed else INK
        weight = "bold" if is_framed else "normal"
        axes.imshow(
            image,
            cmap="gray_r",
            vmin=0,
            vmax=255,
            interpolation="nearest",
            extent=(left, left + wide, top + high, top),
            aspect="auto",
        )
        axes.add_patch(
            Rectangle(
                (left, top),
                wide,
                high,
                fill=False,
                edgecolor=VERMILLION if is_framed else "#d8d8d8",
                linewidth=2.5 if is_framed else 0.5,
            )
        )
        axes.text(
            middle, top - 0.2 * line, over, size=size, color=colour, weight=weight,
            ha="center", va="bottom", linespacing=1.1,
        )  # fmt: skip
        axes.text(
            middle, top + high + 0.2 * line, under, size=size, color=colour, weight=weight,
            ha="center", va="top",
        )  # fmt: skip
    return _png(figure)


def _plain_axes(figure: Figure) -> Axes:
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_autoscale_on(False)
    return axes


def confusion(title: str, counts: NDArray[np.int64], classes: Sequence[str]) -> bytes:
    """Draw how often each class is taken for each.

    Parameters
    ----------
    title
        Above the picture.
    counts : ndarray of int64, shape (classes, classes)
        Images, a row each true class, a column each predicted one.
    classes
        The name of each label.
    """
    figure = Figure(figsize=(COLUMN, 5.4), layout="constrained")
    axes = figure.add_subplot()
    norm = LogNorm(1, max(2, counts.max()))
    colours = mpl.colormaps["Blues"].with_extremes(bad="white")
    # One hue, told by its lightness alone, and logarithmic: a few mistakes beside 1,000 hits.
    shown = axes.imshow(np.ma.masked_equal(counts, 0), cmap=colours, norm=norm)
    size = min(9.5, 260 / len(classes) / (len(str(counts.max())) * CHARACTER_WIDTH))
    for (row, column), count in np.ndenumerate(counts):
        dark = count > counts.max() ** 0.6
        axes.text(
            column, row, str(count) if count else "·", size=size, ha="center", va="center",
            color="white" if dark else INK, weight="bold" if row == column else "normal",
        )  # fmt: skip
    axes.grid(visible=False)
    axes.tick_params(length=0)
    long_names = max(len(name) for name in classes) > 2
    axes.set_xticks(range(len(classes)), classes, rotation=90 if long_names else 0)
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(title)
    bar = figure.colorbar(shown, shrink=0.8, pad=0.02, label="test images (logarithmic)")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    bar.outline.set_visible(False)
    return _png(figure)


def calibration(title: str, bins: pd.DataFrame) -> bytes:
    """Draw accuracy over confidence, and how many images each bin has.

    A network that is as often right as it says lies on the diagonal. Each bin has a dot at
    its mean confidence, with the 95 % Wilson interval of its accuracy.

    Parameters
    ----------
    title
        Above the picture.
    bins
        What `uncertainty.reliability` returns.
    """
    edges = np.linspace(0, 1, len(bins) + 1)
    middles, width = (edges[:-1] + edges[1:]) / 2, 1 / len(bins)
    filled = bins[bins["images"] > 0]
    accuracy = (filled["right"] / filled["images"]).to_numpy()
    intervals = np.array(
        [wilson_interval(right, images) for right, images in filled[["right", "images"]].to_numpy()]
    ).T
    figure = Figure(figsize=(COLUMN, 5.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.25))
    upper.bar(
        middles[filled.index], accuracy, width * 0.92, color="#cfe8f7", edgecolor=BLUE,
        label="accuracy",
    )  # fmt: skip
    upper.errorbar(
        filled["confidence"], accuracy, yerr=np.abs(intervals - accuracy), fmt="o", color=INK,
        markersize=4, capsize=3, linewidth=1, clip_on=False, label="its 95% interval",
    )  # fmt: skip
    upper.plot([0, 1], [0, 1], color=GREY, dashes=(4, 3), label="perfect calibration")
    upper.set_xlim(0, 1)
    upper.set_ylim(0, 1.04)
    upper.set_ylabel("accuracy")
    upper.yaxis.set_major_formatter(PercentFormatter(1, 0))
    figure.legend(loc="outside lower left", ncols=3)
    upper.set_title(title)
    lower.bar(middles, bins["images"], width * 0.92, color="#c9c9c9", edgecolor=GREY)
    size = min(9, width * 330 / (len(f"{bins['images'].max():,}") * CHARACTER_WIDTH))
    for middle, images in zip(middles, bins["images"], strict=True):
        lower.annotate(
            f"{images:,}", (middle, max(images, 0.8)), (0, 2), textcoords="offset points",
            ha="center", va="bottom", size=size, color=INK,
        )  # fmt: skip
    lower.set_yscale("log")
    lower.set_ylim(0.8, 8 * max(1, bins["images"].max()))
    lower.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    lower.set_ylabel("test images")
    lower.set_xlabel("probability of the predicted class (confidence)")
    lower.xaxis.set_major_formatter(PercentFormatter(1, 0))
    lower.minorticks_off()
    return _png(figure)


def weights(title: str, first_layer: NDArray[np.float32], shape: tuple[int, int]) -> bytes:
    """Draw what each unit of the first layer looks for, red for positive and blue for negative.

    Parameters
    ----------
    title
        Above the picture.
    first_layer : ndarray of float32, shape (pixels, units)
    shape
        Rows and columns of an image.
    """
    units = first_layer.shape[1]
    columns = min(units, max(1, round(np.sqrt(2 * units))))
    rows = -(-units // columns)
    high, wide = shape
    gap = max(1, wide // 14)
    mosaic = np.full((rows * (high + gap) - gap, columns * (wide + gap) - gap), np.nan)
    for unit in range(units):
        top, left = unit // columns * (high + gap), unit % columns * (wide + gap)
        mosaic[top : top + high, left : left + wide] = first_layer[:, unit].reshape(shape)
    # A few extreme weights would leave the others pale.
    limit = float(np.percentile(np.abs(first_layer), 99.5)) or 1.0
    margin = 0.1
    # A weight is a whole number of dots, so that all are of one size and the file is small.
    dots = max(1, int((PAGE - 2 * margin) * DOTS_PER_INCH / mosaic.shape[1]))
    rows_inches, columns_inches = (size * dots / DOTS_PER_INCH for size in mosaic.shape)
    above, below = 0.45, 0.85
    height = above + rows_inches + below
    width = columns_inches + 2 * margin
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes(
        (margin / width, below / height, columns_inches / width, rows_inches / height)
    )
    axes.set_axis_off()
    colours = mpl.colormaps["RdBu_r"].resampled(COLOURS_OF_WEIGHTS)
    shown = axes.imshow(
        mosaic, cmap=colours, vmin=-limit, vmax=limit, interpolation="nearest", aspect="auto"
    )
    axes.set_title(title)
    figure.colorbar(
        shown, figure.add_axes((0.25, 0.6 / height, 0.5, 0.13 / height)), extend="both",
        orientation="horizontal", label="weight of a pixel (per unit of brightness in [0, 1])",
    )  # fmt: skip
    return _png(figure)


def replicates(
    results: pd.DataFrame,
    thresholds: Mapping[str, float],
    published_costs: Mapping[int, float],
    published_accuracies: Mapping[str, float],
) -> bytes:
    """Draw the costs and the test accuracies of trainings that differ in their seed alone.

    Parameters
    ----------
    results
        ``run``, ``seed``, ``test``, and ``cost_0``, ``cost_100`` and so on: a row a training.
    thresholds
        The test accuracy that each run must reach, in [0, 1].
    published_costs
        Costs that somebody else has printed, in nats, by iteration; may be empty.
    published_accuracies
        Test accuracies that somebody else has printed, by the run's name; may be empty.
    """
    figure = Figure(figsize=(PAGE, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _cost_cloud(left, results, published_costs)
    for place, (run, threshold) in enumerate(thresholds.items()):
        own = results.loc[results["run"] == run, "test"].sort_values().to_numpy()
        colour, mark = RUN_COLOURS[place % len(RUN_COLOURS)], RUN_MARKS[place % len(RUN_MARKS)]
        # Side by side in a fixed order, so that equal accuracies are all seen.
        beside = place + (np.arange(len(own)) * 7 % 11 - 5) / 40
        right.plot(beside, own, mark, color=colour, alpha=0.55, mew=0, markersize=6)
        right.errorbar(
            place + 0.27, own.mean(), own.std(ddof=1), fmt="_", color=INK, capsize=5, markersize=12
        )
        right.hlines(threshold, place - 0.35, place + 0.35, colors=GREY, linestyles="--")
        if run in published_accuracies:
            right.plot(
                place - 0.27, published_accuracies[run], "X", color="white", mec=INK,
                markersize=9,
            )  # fmt: skip
    right.plot([], [], "_", color=INK, markersize=12, label="mean and deviation")
    right.plot([], [], "--", color=GREY, label="threshold")
    if published_accuracies:
        right.plot([], [], "X", color="white", mec=INK, markersize=9, label="the tutorial's")
    right.set_xticks(range(len(thresholds)), list(thresholds))
    right.set_xlim(-0.5, len(thresholds) - 0.5)
    right.grid(visible=False, axis="x")
    right.set_xlabel("run")
    right.set_ylabel("accuracy on the test images")
    right.yaxis.set_major_formatter(PercentFormatter(1, 1))
    right.set_title(f"Test accuracy of {results['seed'].nunique()} seeds")
    right.legend(loc="lower right")
    return _png(figure)


def _cost_cloud(axes: Axes, results: pd.DataFrame, published: Mapping[int, float]) -> None:
    columns = [name for name in results.columns if name.startswith("cost_")]
    iterations = np.array([int(name.removeprefix("cost_")) for name in columns])
    # A run with fewer iterations is the beginning of one with more: the longest shows all.
    whole = results[results[columns[-1]].notna()][columns].to_numpy()
    first = 1  # a logarithmic axis has no 0
    axes.plot(iterations + first, whole.T, ".", color=BLUE, alpha=0.22, mew=0, markersize=5)
    # From the second point on: between the first two the axis would make a straight line long.
    axes.plot(
        (iterations + first)[1:], np.median(whole, axis=0)[1:], color=INK, linewidth=1.6,
        label="median of the seeds",
    )  # fmt: skip
    axes.plot([], [], ".", color=BLUE, alpha=0.6, mew=0, markersize=5, label="one seed")
    if published:
        axes.plot(
            [iteration + first for iteration in published], list(published.values()), "X",
            color="white", mec=INK, markersize=9, label="printed in the tutorial",
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(_positional))
    axes.set_xlabel("iteration, counted from 1 (every 100th)")
    axes.set_ylabel("batch cost (nats)")
    axes.set_title("Cost of one batch")
    axes.legend(loc="lower left")


def sweep(title: str, ranking: pd.DataFrame, scales: Mapping[str, str]) -> bytes:
    """Draw validation accuracy over each parameter of a sweep, and all parameters side by side.

    Parameters
    ----------
    title
        Above the picture.
    ranking
        A column a parameter, ``validation`` and its ``deviation`` over the seeds (NaN for
        one seed alone); a row a setting, the best first.
    scales
        The parameters in order, each ``linear``, ``log``, or ``category`` for values side by side.
    """
    columns = min(len(scales), PANELS_PER_ROW)
    rows = -(-len(scales) // columns)
    figure = Figure(figsize=(PAGE, 3.3 * rows + 3.8), layout="constrained")
    grid = figure.add_gridspec(2, 1, height_ratios=(3.3 * rows, 3.8))
    upper, lower = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    panels = upper.subplots(rows, columns, sharey=True, squeeze=False).flat
    accuracies = ranking["validation"].clip(*ACCURACIES_SHOWN)
    deviations = ranking["deviation"].fillna(0)
    lowest = max(ACCURACIES_SHOWN[0], float((accuracies - deviations).min()))
    for name, axes in zip(scales, panels, strict=False):
        places, labels = _places(ranking[name], scales[name])
        axes.errorbar(
            places, accuracies, yerr=deviations, fmt="o", color=BLUE,
            alpha=0.7, markersize=5, mew=0, capsize=2, linewidth=1,
        )  # fmt: skip
        axes.plot(
            places[:1], accuracies[:1], "*", color=VERMILLION, markersize=14, mec="white", zorder=4
        )
        if labels:
            axes.set_xticks(range(len(labels)), labels)
            axes.set_xlim(-0.5, len(labels) - 0.5)
        else:
            axes.set_xscale(scales[name])
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel(name)
        axes.set_yscale("logit")
        axes.yaxis.set_major_locator(FixedLocator(ACCURACY_TICKS))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:g}%"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylim(lowest / 1.02, 1 - (1 - accuracies.max()) / 1.6)
    for axes in list(panels):
        axes.set_visible(False)
    upper.supylabel("validation accuracy", size=10)
    upper.suptitle(title, size=11, x=0.01, ha="left")
    _parallel(lower.add_subplot(), ranking, scales)
    return _png(figure)


def _places(values: pd.Series, scale: str) -> tuple[NDArray[np.float64], list[str]]:
    """Give the place of each value on its axis, and the labels of an axis without numbers."""
    if scale == "category":
        known = sorted(set(values))
        return np.array([known.index(value) for value in values], float), [*map(str, known)]
    return values.to_numpy(float), []


def _parallel(axes: Axes, ranking: pd.DataFrame, scales: Mapping[str, str]) -> None:
    """Draw each setting as a line from one parameter's axis to the next, and to its accuracy."""
    every = {**scales, "validation": "logit"}
    heights = np.empty((len(ranking), len(every)))
    for column, (name, scale) in enumerate(every.items()):
        places, labels = _places(ranking[name], scale)
        marks = np.arange(len(labels)) if labels else np.array([places.min(), places.max()])
        if scale == "log":
            scaled, ticks = np.log(places), np.log(marks)
        elif scale == "logit":
            clipped = np.clip(places, *ACCURACIES_SHOWN)
            scaled = np.log(clipped / (1 - clipped))
            ticks = np.array([scaled.min(), scaled.max()])
        else:
            scaled, ticks = places, marks
        low, span = ticks.min(), np.ptp(ticks) or 1.0
        heights[:, column] = (scaled - low) / span
        axes.axvline(column, color=GREY, linewidth=1)
        shown = labels or [f"{mark:.2%}" if scale == "logit" else f"{mark:g}" for mark in marks]
        for tick, text in zip((ticks - low) / span, shown, strict=True):
            axes.text(
                column + 0.02, tick, text, size=9, va="center", color=INK, zorder=4,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
            )  # fmt: skip
    shades = mpl.colormaps["viridis_r"](np.linspace(0, 0.9, len(ranking))[::-1])
    for row in reversed(range(len(ranking))):  # the best last, above the others
        axes.plot(
            heights[row], color=shades[row] if row else VERMILLION, alpha=1 if not row else 0.8,
            linewidth=1.2 if row else 3, zorder=2 if row else 3,
        )  # fmt: skip
    axes.plot([], [], color=VERMILLION, linewidth=3, label="the best setting")
    axes.plot([], [], color=shades[len(shades) // 2], label="the others: the darker, the better")
    axes.set_xticks(range(len(every)), [*scales, "validation accuracy"])
    axes.set_xlim(-0.1, len(every) - 0.75)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)
