"""The figures that suit every dataset: costs, confusion matrix and calibration."""

from collections.abc import Sequence
from itertools import cycle

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import LogFormatter, MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from stages.report import style
from stages.report.calibration import accuracy_interval, calibration_bins
from stages.report.pages import ReportFigure
from stages.report.run_results import ReportData, RunResults
from stages.report.style import BLUE, COLUMN, GREY, INK, PAGE

# With more classes the numbers in the confusion matrix would be too small to read.
MOST_CLASSES_WITH_COUNTS = 30


class SparseFormatter(LogFormatter):
    """Labels minor ticks only if there are few, with all digits: 0.6, not 6e-01."""

    def __call__(self, value: float, position: int | None = None) -> str:
        """Return the label of a tick, or nothing."""
        return style.positional(value) if super().__call__(value, position) else ""


def draw_run(data: ReportData, run: RunResults) -> dict[str, ReportFigure]:
    """Draw one run; figures by the names of their files."""
    return {
        "cost": costs(data, [run]),
        "confusion": confusion(data, run),
        "calibration": calibration(data, run),
    }


def running_median(costs: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the running median; shape (iterations,).

    The window is centred. It is narrower at the beginning, where costs fall so fast that an
    asymmetric window would begin too low; at the end it is cut off.

    Parameters
    ----------
    costs : ndarray of float64, shape (iterations,)
    window
        The width in iterations; an even one is made odd by adding one.
    """
    half = window // 2
    rolling = pd.Series(costs).rolling(2 * half + 1, center=True, min_periods=1)
    medians = rolling.median().to_numpy(copy=True)
    for iteration in range(min(half, len(costs))):
        medians[iteration] = np.median(costs[: 2 * iteration + 1])
    return medians


def costs(data: ReportData, runs: Sequence[RunResults]) -> ReportFigure:
    """Draw the cost of each iteration; for several runs, on a logarithmic axis of iterations."""
    several, longest = len(runs) > 1, max(len(run.costs) for run in runs)
    title = "Cost of each iteration" if several else f"{runs[0].name}: cost of each iteration"
    window = data.config.report.smoothing_iterations
    first = 1 if several else 0  # a logarithmic axis has no 0
    width = PAGE if several else COLUMN
    figure = style.new_figure(width, 4.8)
    axes = figure.add_subplot(title=style.wrap(title, width))
    medians = {run.name: running_median(run.costs, window) for run in runs}
    _plot_costs(axes, runs, medians, first)
    published = data.config.dataset.published_costs
    iterations = [iteration for iteration in published if iteration < longest]
    if iterations:
        places = [iteration + first for iteration in iterations]
        values = [published[iteration] for iteration in iterations]
        axes.plot(places, values, **style.PUBLISHED, label="published")
    axes.set(xlabel="iteration", ylabel="batch cost (nats)", yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 2.5, 5, 10]))
    if several:
        axes.set(xscale="log", xlabel="iteration, counted from 1", xlim=(0.9, None))
    axes.xaxis.set_major_formatter(style.thousands)
    axes.yaxis.set_major_formatter(style.positional)
    axes.yaxis.set_minor_formatter(SparseFormatter())
    figure.legend(loc="outside lower left", ncols=2)
    ends = "; ".join(
        f"the running median of {name} goes from {median[0]:.3g} to {median[-1]:.3g} nats in "
        f"{len(median):,} iterations"
        for name, median in medians.items()
    )
    caption = f"Each dot is the cost of a batch; the line is the running median of {window} costs."
    if several:
        caption += " Both axes are logarithmic."
        # The trainer guarantees it, because all runs share the seed and the settings.
        caption += " A shorter run is the beginning of a longer one, so their curves coincide."
    return ReportFigure(style.png(figure), f"{title}: {ends}", caption, is_wide=several)


def _plot_costs(
    axes: Axes, runs: Sequence[RunResults], medians: dict[str, NDArray[np.float64]], first: int
) -> None:
    styles = zip(runs, cycle(style.RUN_COLOURS), cycle(style.RUN_MARKERS), strict=False)
    shortest_first = sorted(styles, key=lambda styled: len(styled[0].costs))
    # A shorter run has a wider line, so that it is visible below a longer one.
    widths = np.linspace(6.5 if len(runs) > 1 else 2, 1.5, len(runs))
    for (run, colour, marker), width in zip(shortest_first, widths, strict=True):
        iterations = np.arange(len(run.costs)) + first
        axes.plot(iterations, run.costs, "o", color=colour, ms=2, mew=0, alpha=0.35, zorder=1)
        label = style.wrap(run.name, 5) if len(runs) > 1 else "running median"
        (curve,) = axes.plot(iterations, medians[run.name], color=colour, label=label)
        curve.set(linewidth=width, marker=marker, markevery=[-1], markersize=10, mec="white")
        # White between the dots and the curves.
        axes.plot(*curve.get_data(), color="white", linewidth=width + 1.5, zorder=1.5)
    axes.plot([], [], ".", color=GREY, label="cost of one batch")


def confusion(data: ReportData, run: RunResults) -> ReportFigure:
    """Draw the confusion matrix."""
    title = f"{run.name}: confusion matrix of the test split"
    classes, counts = data.description.classes, run.confusion
    figure = style.new_figure(COLUMN, 5.4)
    axes = figure.add_subplot(title=style.wrap(title, COLUMN))
    # Logarithmic, so that a few mistakes are visible next to a thousand correct predictions.
    norm = LogNorm(1, max(2, counts.max()))
    colours = mpl.colormaps["Blues"].with_extremes(bad="white")
    image = axes.imshow(np.ma.masked_equal(counts, 0), cmap=colours, norm=norm)
    if len(classes) <= MOST_CLASSES_WITH_COUNTS:
        size = min(9.5, 430 / len(classes) / len(str(counts.max())))
        for row, column in np.argwhere(counts):
            count = counts[row, column]
            colour = "white" if norm(count) > 0.6 else INK
            text = axes.text(column, row, str(count), size=size, color=colour)
            # Without in_layout, the layout would measure a hundred texts inside the axes.
            text.set(ha="center", va="center", in_layout=False)
    axes.grid(visible=False)
    axes.tick_params(length=0, labelsize=min(10, 280 / len(classes)))
    rotation = 90 if max(map(len, classes)) * len(classes) > 40 else 0
    axes.set_xticks(range(len(classes)), classes, rotation=rotation)
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="predicted class", ylabel="true class")
    bar = figure.colorbar(image, shrink=0.8, pad=0.02, label="test examples")
    bar.ax.yaxis.set_major_formatter(style.thousands)
    bar.ax.yaxis.set_minor_formatter(SparseFormatter())
    bar.outline.set_visible(False)
    correct = zip(classes, counts.diagonal(), strict=True)
    alt = ", ".join(f"{name} {count:,}" for name, count in correct)
    caption = "Test examples by true class (rows) and predicted class (columns)."
    return ReportFigure(style.png(figure), f"{title}; correct predictions by class: {alt}", caption)


def calibration(data: ReportData, run: RunResults) -> ReportFigure:
    """Draw accuracy over confidence, and the number of examples in each bin."""
    bins = calibration_bins(run.predictions, data.config.report.calibration_bins)
    title = f"{run.name}: expected calibration error {run.calibration_error(len(bins)):.2%}"
    figure = style.new_figure(COLUMN, 5.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.25))
    upper.set_title(style.wrap(title, COLUMN))
    filled = bins[bins["examples"] > 0]
    filled = filled.assign(accuracy=filled["correct"] / filled["examples"])
    _plot_accuracy(upper, filled, 1 / len(bins))
    _plot_counts(lower, bins)
    figure.legend(loc="outside lower left", ncols=3)
    columns = (filled[name] for name in ("confidence", "accuracy", "examples"))
    values = ", ".join(
        f"{confidence:.0%} {accuracy:.0%} ({examples:,})"
        for confidence, accuracy, examples in zip(*columns, strict=True)
    )
    return ReportFigure(
        style.png(figure),
        f"{title}; confidence, accuracy and test examples of each bin: {values}",
        "Of the predictions with a probability of 80%, 80% should be correct: on the dashed line. "
        "A dot is at the mean confidence of its bin. The expected calibration error is the mean "
        "distance from the line, each bin weighted by its examples (C. Guo et al.: On calibration "
        "of modern neural networks. ICML 2017).",
    )


def _plot_accuracy(axes: Axes, filled: pd.DataFrame, width: float) -> None:
    accuracy = filled["accuracy"].to_numpy()
    counts = filled[["correct", "examples"]].to_numpy()
    intervals = np.array([accuracy_interval(correct, examples) for correct, examples in counts])
    middles = (filled.index.to_numpy() + 0.5) * width
    axes.bar(middles, accuracy, width * 0.92, color="#cfe8f7", edgecolor=BLUE, label="accuracy")
    distances = np.abs(intervals.T - accuracy)
    axes.errorbar(
        filled["confidence"],
        accuracy,
        distances,
        fmt="o",
        color=INK,
        markersize=4,
        capsize=3,
        linewidth=1,
        clip_on=False,
        label="its 95% interval",
    )
    axes.plot([0, 1], [0, 1], color=GREY, dashes=(4, 3), label="perfect calibration")
    axes.set(xlim=(0, 1), ylim=(0, 1.04), ylabel="accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(1, 0))


def _plot_counts(axes: Axes, bins: pd.DataFrame) -> None:
    width, most = 1 / len(bins), max(1, bins["examples"].max())
    middles = (bins.index.to_numpy() + 0.5) * width
    bars = axes.bar(middles, bins["examples"], width * 0.92, color="#c9c9c9", edgecolor=GREY)
    axes.bar_label(bars, fmt="{:,.0f}", padding=2, size=min(9, 550 * width / len(f"{most:,}")))
    axes.set(ylim=(0.8, 8 * most), yscale="log", ylabel="test examples")
    axes.set_xlabel("probability of the predicted class (confidence)")
    axes.xaxis.set_major_formatter(PercentFormatter(1, 0))
    axes.yaxis.set_major_formatter(style.thousands)
    axes.minorticks_off()
