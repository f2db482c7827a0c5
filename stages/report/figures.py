"""The pictures of a run, and what each shows in words."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.config import Config
from stages.report import calibration as uncertainty
from stages.report import plots, tutorial
from stages.report.run_results import RunResults

FEW_COLUMNS, MANY_COLUMNS = 4, 10
MISTAKES_COLUMNS = 5


@dataclass(frozen=True)
class Picture:
    """A picture, and what it shows in words.

    Attributes
    ----------
    png
        The file.
    words
        For whoever does not see it.
    """

    png: bytes
    words: str

    @property
    def address(self) -> str:
        """The file itself as an address, so that a page needs no other file."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


def pictures(
    name: str, evidence: RunResults, images: NDArray[np.uint8], config: Config
) -> dict[str, Picture]:
    """Draw one run.

    Parameters
    ----------
    name
        Of the run.
    evidence
        What there is of it.
    images : ndarray of uint8, shape (n, rows, columns)
        The test images.
    config
        The settings.

    Returns
    -------
    dict
        Pictures by the names of their files, without ``.png``.
    """
    classes, wanted = config.dataset.classes, config.report
    # The few are the first of the many, so that both say the same.
    many = np.random.default_rng(wanted.grid_seed).permutation(len(images))[: MANY_COLUMNS**2]
    few = many[: FEW_COLUMNS**2]
    grids = {
        "digits": (few, FEW_COLUMNS, plots.COLUMN),
        "more_digits": (many, MANY_COLUMNS, plots.PAGE),
    }
    drawn = {}
    for picture, (rows, columns, width) in grids.items():
        answers = evidence.answers.iloc[rows]
        title = f"{name}: {len(rows)} test images, drawn with seed {wanted.grid_seed}"
        png = plots.digits(title, images[rows], answers, classes, columns=columns, width=width)
        drawn[picture] = Picture(png, f"{title}; {_wrong(answers, classes)}")
    worst = evidence.mistakes.head(MISTAKES_COLUMNS**2)
    title = f"{name}: {len(worst)} of {len(evidence.mistakes):,} mistakes, the surest first"
    png = plots.mistakes(title, images[worst.index], worst, classes, MISTAKES_COLUMNS)
    drawn["mistakes"] = Picture(png, f"{title}; {_wrong(worst, classes)}")
    drawn["cost"] = cost({name: evidence}, f"{name}: cost of each iteration", config)
    title = f"{name}: what test images are taken for"
    png = plots.confusion(title, evidence.confusion, classes)
    right = ", ".join(
        f"{known} {count:,}"
        for known, count in zip(classes, evidence.confusion.diagonal(), strict=True)
    )
    drawn["confusion"] = Picture(png, f"{title}; right answers by class: {right}")
    bins = evidence.reliability(wanted.calibration_bins)
    title = (
        f"{name}: expected calibration error "
        f"{uncertainty.expected_calibration_error(bins):.2%}, {len(bins)} bins"
    )
    filled = bins[bins["images"] > 0]
    shown = ", ".join(
        f"{confidence:.0%} {right / images_in_it:.0%} ({images_in_it:,})"
        for confidence, right, images_in_it in zip(
            filled["confidence"], filled["right"], filled["images"], strict=True
        )
    )
    drawn["calibration"] = Picture(
        plots.calibration(title, bins), f"{title}; confidence, accuracy and images: {shown}"
    )
    first_layer = evidence.weights["W1"]
    title = f"{name}: the weights of each unit of the first layer"
    png = plots.weights(title, first_layer, config.dataset.image_shape)
    drawn["weights"] = Picture(
        png, f"{title}, {first_layer.shape[1]} images, from {first_layer.min():.2f} to "
        f"{first_layer.max():.2f}",
    )  # fmt: skip
    return drawn


def _wrong(answers: pd.DataFrame, classes: Sequence[str]) -> str:
    """Say in words what is taken for what."""
    wrong = answers[answers["label"] != answers["predicted"]]
    pairs = ", ".join(
        f"{classes[label]} taken for {classes[predicted]}"
        for label, predicted in zip(wrong["label"], wrong["predicted"], strict=True)
    )
    return f"{len(wrong)} wrong" + (f": {pairs}" if pairs else "")


def cost(evidence: Mapping[str, RunResults], title: str, config: Config) -> Picture:
    """Draw the costs of one run or several, by their names."""
    curves = {name: found.costs for name, found in evidence.items()}
    png = plots.costs(
        title, curves, config.report.smoothing_iterations, tutorial.costs(config.dataset_name)
    )
    medians = {
        name: plots.smoothed(costs, config.report.smoothing_iterations)
        for name, costs in curves.items()
    }
    shown = "; ".join(
        f"the running median of {name} goes from {median[0]:.3g} to {median[-1]:.3g} nats in "
        f"{len(median):,} iterations"
        for name, median in medians.items()
    )
    return Picture(png, f"{title}: {shown}")
