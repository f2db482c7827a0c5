"""Draw how much the costs and the test accuracies vary with the seed."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from common.config import Config
from stages.report import style


def draw(config: Config, results: pd.DataFrame) -> bytes:
    """Draw the results of `extras.seeds.train`, and what was published, as a PNG file."""
    figure = style.new_figure(style.PAGE, 4.6)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_costs(left, config, results)
    _draw_accuracies(right, config, results)
    return style.png(figure)


def _draw_costs(axes: Axes, config: Config, results: pd.DataFrame) -> None:
    # A run with fewer iterations is the beginning of one with more: the longest shows all.
    longest = max(config.runs, key=lambda name: config.runs[name].iterations)
    costs = results[results["run"] == longest].filter(like="cost_")
    iterations = costs.columns.str.removeprefix("cost_").astype(int)
    axes.plot(iterations, costs.T, ".", color=style.BLUE, alpha=0.25, markeredgewidth=0)
    axes.plot(iterations, costs.median(), color=style.INK, label="median of the seeds")
    axes.plot([], [], ".", color=style.BLUE, label="one seed")
    if published := config.dataset.published_costs:
        axes.plot(list(published), list(published.values()), **style.PUBLISHED, label="published")
    axes.set_xscale("log", nonpositive="mask")  # without iteration 0
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(style.thousands)
    axes.yaxis.set_major_formatter(style.positional)
    axes.set(
        xlabel="iteration (every 100th)", ylabel="batch cost (nats)", title="Cost of one batch"
    )
    axes.legend(loc="lower left")


def _draw_accuracies(axes: Axes, config: Config, results: pd.DataFrame) -> None:
    for place, (name, params) in enumerate(config.runs.items()):
        accuracies = results.loc[results["run"] == name, "test"].sort_values().to_numpy()
        # Side by side in a fixed order, so that equal accuracies are all seen.
        beside = place + (np.arange(len(accuracies)) * 7 % 11 - 5) / 40
        marker = style.RUN_MARKERS[place % len(style.RUN_MARKERS)]
        colour = style.RUN_COLOURS[place % len(style.RUN_COLOURS)]
        axes.plot(beside, accuracies, marker, color=colour, alpha=0.55, markeredgewidth=0)
        mean, std = accuracies.mean(), accuracies.std(ddof=1)
        axes.errorbar(place + 0.27, mean, std, fmt="_", color=style.INK, capsize=5, markersize=12)
        axes.hlines(params.min_test_accuracy, place - 0.35, place + 0.35, style.GREY, "--")
        published = config.dataset.published_for(params.iterations)
        if published and published.test:
            axes.plot(place - 0.27, published.test, **style.PUBLISHED)
    axes.plot([], [], "_", color=style.INK, markersize=12, label="mean ± std")
    axes.plot([], [], "--", color=style.GREY, label="threshold")
    axes.set_xticks(range(len(config.runs)), list(config.runs))
    axes.set_xlim(-0.5, len(config.runs) - 0.5)
    axes.set(xlabel="run", ylabel="accuracy on the test split")
    axes.yaxis.set_major_formatter("{x:.1%}")
    axes.set_title(f"Test accuracy of {results['seed'].nunique()} seeds")
    axes.legend(loc="upper left")
