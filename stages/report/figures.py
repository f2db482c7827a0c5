"""The figures that suit every dataset: costs, confusion matrix and calibration."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from numpy.typing import NDArray

from stages.report import style
from stages.report.calibration import accuracy_interval, calibration_bins
from stages.report.run_results import ReportData, RunResults
from stages.report.style import BLUE, COLUMN, GREY, INK, PAGE, ReportFigure


def running_median(costs: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the median of a window around each cost; an even width is made odd.

    The window is narrower at the beginning, where costs fall so fast that an asymmetric one would
    begin too low; at the end it is cut off.

    >>> running_median(np.array([9.0, 1, 5, 2, 8, 3]), 3)
    array([9. , 5. , 2. , 5. , 3. , 5.5])
    """
    half = window // 2
    rolling = pd.Series(costs).rolling(2 * half + 1, center=True, min_periods=1)
    medians = rolling.median().to_numpy(copy=True)
    for iteration in range(min(half, len(costs))):
        medians[iteration] = np.median(costs[: 2 * iteration + 1])
    return medians


def cost_of_run(data: ReportData, run: RunResults) -> ReportFigure:
    """Draw the cost of each iteration of one run."""
    title = f"{run.name}: cost of each iteration"
    figure = style.new_figure(COLUMN, 4.8)
    axes = figure.add_subplot(title=style.wrap(title, COLUMN))
    axes.locator_params(axis="x", integer=True)
    ends = _draw_costs(axes, data, {"running median": run})
    window = data.config.report.smoothing_iterations
    caption = f"Each dot is the cost of a batch; the line is the running median of {window} costs."
    return ReportFigure(style.png(figure), f"{title}: {ends}", caption)


def costs_of_all(data: ReportData) -> ReportFigure:
    """Draw the costs of all runs, on a logarithmic axis of iterations that begins with 0."""
    title = "Cost of each iteration"
    figure = style.new_figure(PAGE, 4.8)
    axes = figure.add_subplot(title=title)
    axes.set_xscale("symlog", linthresh=1, linscale=0.3, subs=range(2, 10))
    axes.set_xlim(-0.2, 1.4 * max(len(run.costs) for run in data.runs.values()))
    ends = _draw_costs(axes, data, {style.wrap(name, 5): run for name, run in data.runs.items()})
    caption = (
        "Each dot is the cost of a batch; the lines are running medians of "
        f"{data.config.report.smoothing_iterations} costs. Both axes are logarithmic."
    )
    return ReportFigure(style.png(figure), f"{title}: {ends}", caption, is_wide=True)


def _draw_costs(axes: Axes, data: ReportData, runs: Mapping[str, RunResults]) -> str:
    """Draw the costs of runs by their labels; return the ends of their medians in words."""
    ends = []
    shortest_first = sorted(runs.items(), key=lambda labelled: len(labelled[1].costs))
    # A shorter run has a wider line, so that it is visible below a longer one.
    widths = np.linspace(1.5, 6.5, len(runs))[::-1]
    styles = zip(cycle(style.RUN_COLOURS), cycle(style.RUN_MARKERS), widths, strict=False)
    for (label, run), (colour, marker, width) in zip(shortest_first, styles, strict=False):
        median = running_median(run.costs, data.config.report.smoothing_iterations)
        axes.plot(run.costs, "o", color=colour, ms=2, mew=0, alpha=0.35, zorder=1)
        # White between the dots and the curves.
        axes.plot(median, color="white", lw=width + 1.5, zorder=1.5)
        (curve,) = axes.plot(median, color=colour, lw=width, label=label)
        curve.set(marker=marker, markevery=[-1], ms=10, mec="white")
        change = f"{median[0]:.3g} to {median[-1]:.3g} nats in {len(median):,} iterations"
        ends.append(f"the running median of {run.name} goes from {change}")
    axes.plot([], [], ".", color=GREY, label="cost of one batch")
    costs, iterations = data.config.dataset.published_costs, range(len(shortest_first[-1][1].costs))
    if places := [iteration for iteration in costs if iteration in iterations]:
        axes.plot(places, [costs[place] for place in places], **style.PUBLISHED, label="published")
    axes.set(xlabel="iteration", ylabel="batch cost (nats)", yscale="log")
    axes.xaxis.set_major_formatter(style.thousands)
    axes.figure.legend(loc="outside lower left", ncols=2)
    return "; ".join(ends)


def curves(run: RunResults) -> dict[str, ReportFigure]:
    """Draw what else the training has reported, whatever it is; by the name of the file."""
    names = list(dict.fromkeys(run.curves["name"]))
    if not names:
        return {}
    title = f"{run.name}: {', '.join(names)}"
    figure = style.new_figure(COLUMN, 1.4 + 2.6 * len(names))
    figure.suptitle(style.wrap(title, COLUMN), x=0.01, ha="left", size=11)
    ends = []
    for axes, name in zip(figure.subplots(len(names), 1, squeeze=False)[:, 0], names, strict=True):
        points = run.curves[run.curves["name"] == name]
        axes.plot(points["iteration"], points["value"], "o-", color=BLUE, ms=4)
        axes.set(xlabel="iterations", ylabel=name)
        axes.xaxis.set_major_formatter(style.thousands)
        first, last = points["value"].iloc[[0, -1]]
        ends.append(f"{name} goes from {first:.4g} to {last:.4g}")
    caption = "What the training reported on the way."
    return {
        f"{run.name}/curves": ReportFigure(
            style.png(figure), f"{title}: {'; '.join(ends)}", caption
        )
    }


def confusion(data: ReportData, run: RunResults) -> ReportFigure:
    """Draw the confusion matrix."""
    title = f"{run.name}: confusion matrix of the test split"
    classes, counts = data.description.classes, run.confusion
    figure = style.new_figure(COLUMN, 5.4)
    axes = figure.add_subplot(title=style.wrap(title, COLUMN), xlabel="predicted class")
    # Logarithmic, so that a few mistakes are visible next to a thousand correct predictions.
    norm = LogNorm(1, max(2, counts.max()))
    image = axes.imshow(np.ma.masked_equal(counts, 0), cmap="Blues", norm=norm)
    if len(classes) <= 30:  # with more, the numbers would be too small to read
        size = min(9.5, 430 / len(classes) / len(str(counts.max())))
        for row, column in np.argwhere(counts):
            text = axes.text(column, row, counts[row, column], size=size, ha="center", va="center")
            text.set_color("white" if norm(counts[row, column]) > 0.6 else INK)
            text.set_in_layout(False)  # the layout would measure a hundred texts inside the axes
    axes.grid(visible=False)
    axes.tick_params(length=0, labelsize=min(10, 280 / len(classes)))
    rotation = 90 if max(map(len, classes)) * len(classes) > 40 else 0
    axes.set_xticks(range(len(classes)), classes, rotation=rotation)
    axes.set_yticks(range(len(classes)), classes)
    axes.set_ylabel("true class")
    bar = figure.colorbar(image, shrink=0.8, pad=0.02, format=style.thousands)
    bar.set_label("test examples")
    bar.outline.set_visible(False)
    correct = zip(classes, counts.diagonal(), strict=True)
    alt = ", ".join(f"{name} {count:,}" for name, count in correct)
    caption = "Test examples by true class (rows) and predicted class (columns)."
    return ReportFigure(style.png(figure), f"{title}; correct predictions by class: {alt}", caption)


def calibration(data: ReportData, run: RunResults) -> ReportFigure:
    """Draw accuracy over confidence, and the number of examples in each bin."""
    count = data.config.report.calibration_bins
    bins, error = calibration_bins(run.predictions, count), run.calibration_error(count)
    title = f"{run.name}: expected calibration error {error:.2%}"
    figure = style.new_figure(COLUMN, 5.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.25))
    upper.set_title(style.wrap(title, COLUMN))
    with_examples = bins[bins["examples"] > 0]
    _draw_accuracy(upper, with_examples, 0.92 / count)
    _draw_examples(lower, bins["examples"], 0.92 / count)
    figure.legend(loc="outside lower left", ncols=3)
    values = ", ".join(
        f"{row.confidence:.0%} {row.accuracy:.0%} ({row.examples:,})"
        for row in with_examples.itertuples()
    )
    alt = f"{title}; confidence, accuracy and test examples of each bin: {values}"
    caption = (
        "Of the predictions with a probability of 80%, 80% should be correct: on the dashed line. "
        "A dot is at the mean confidence of its bin. The expected calibration error is the mean "
        "distance from the line, each bin weighted by its examples (C. Guo et al.: On calibration "
        "of modern neural networks. ICML 2017)."
    )
    return ReportFigure(style.png(figure), alt, caption)


def _draw_accuracy(axes: Axes, bins: pd.DataFrame, width: float) -> None:
    accuracy = bins["accuracy"].to_numpy()
    axes.bar(bins.index, accuracy, width, color="#cfe8f7", edgecolor=BLUE, label="accuracy")
    counts = zip(bins["correct"], bins["examples"], strict=True)
    distances = np.abs(np.transpose([accuracy_interval(*count) for count in counts]) - accuracy)
    dots: dict[str, Any] = {"fmt": "o", "color": INK, "ms": 4, "capsize": 3, "lw": 1}
    label = "its 95% interval"
    axes.errorbar(bins["confidence"], accuracy, distances, **dots, clip_on=False, label=label)
    axes.plot([0, 1], [0, 1], color=GREY, dashes=(4, 3), label="perfect calibration")
    axes.set(xlim=(0, 1), ylim=(0, 1.04), ylabel="accuracy")
    axes.yaxis.set_major_formatter("{x:.0%}")


def _draw_examples(axes: Axes, examples: pd.Series, width: float) -> None:
    most = max(1, examples.max())
    bars = axes.bar(examples.index, examples, width, color="#c9c9c9", edgecolor=GREY)
    axes.bar_label(bars, fmt="{:,.0f}", padding=2, size=min(9, 600 * width / len(f"{most:,}")))
    axes.set(ylim=(0.8, 8 * most), yscale="log", ylabel="test examples")
    axes.set_xlabel("probability of the predicted class (confidence)")
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.yaxis.set_major_formatter(style.thousands)
    axes.minorticks_off()
