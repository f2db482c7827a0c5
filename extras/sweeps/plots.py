"""The figure of a sweep: the validation accuracy against each parameter."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from extras.sweeps.results import SweepResults
from extras.sweeps.search_space import Parameter, is_range
from stages.report.style import BLUE, PAGE, VERMILLION, new_figure, png

# Accuracies are clipped to these, because a logit axis has neither 0 nor 1.
LOWEST, HIGHEST = 0.001, 0.9999
TICKS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def sweep_figure(results: SweepResults) -> bytes:
    """Return a figure of a sweep in which a setting has finished, as a PNG file."""
    sweep, ranking = results.sweep, results.ranking
    panels = len(sweep.parameters)
    figure = new_figure(max(PAGE, 3.5 * panels), 4)
    (row,) = figure.subplots(1, panels, sharey=True, squeeze=False)
    for axes, (name, parameter) in zip(row, sweep.parameters.items(), strict=True):
        axes.set_xlabel(name)
        _draw(axes, _positions(axes, ranking[name], parameter), ranking)
    figure.supylabel("validation accuracy", size=10)
    title = f"{results.folder.name}: {len(ranking)} settings of {sweep.run}, seeds: {sweep.seeds}; "
    title += "bars show the standard deviation, the star marks the best"
    figure.suptitle(title, size=11, x=0.01, ha="left")
    return png(figure)


def _positions(axes: Axes, values: pd.Series, parameter: Parameter) -> pd.Series:
    """Set the scale of the horizontal axis, and return the position of each value on it."""
    ((function, arguments),) = parameter.items()
    if is_range(function):
        axes.set_xscale("log" if function.startswith("log") else "linear")
        axes.set_xlim(*arguments)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        return values
    categories = sorted(set(values))
    axes.set_xticks(range(len(categories)), [str(category) for category in categories])
    axes.set_xlim(-0.5, len(categories) - 0.5)
    positions = values.map(categories.index)
    # Side by side in the order of their accuracies, so that all are visible.
    groups = positions.groupby(positions)
    return positions + 0.4 * ((groups.cumcount() + 0.5) / groups.transform("size") - 0.5)


def _draw(axes: Axes, positions: pd.Series, ranking: pd.DataFrame) -> None:
    accuracies, deviations = ranking["validation"].clip(LOWEST, HIGHEST), ranking["std"].fillna(0)
    axes.errorbar(positions, accuracies, deviations, fmt="o", color=BLUE, alpha=0.7, markersize=4)
    axes.plot(positions[:1], accuracies[:1], "*", color=VERMILLION, markersize=11, zorder=4)
    axes.set_yscale("logit")
    axes.set_yticks(TICKS)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value * 100:g}%")
    axes.yaxis.minorticks_off()
    lowest = max(LOWEST, np.min(accuracies - deviations))
    axes.set_ylim(lowest / 1.02, 1 - (1 - accuracies.max()) / 1.6)
