"""How sure the network is and may be, and how sure a measured accuracy is."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pandas as pd

# The 97.5th percentile of the normal distribution: 95 % lie within it on both sides.
NORMAL_QUANTILE = NormalDist().inv_cdf(0.975)


def reliability(answers: pd.DataFrame, bins: int) -> pd.DataFrame:
    """Compare confidence with accuracy, in bins of equal width.

    Parameters
    ----------
    answers
        ``label``, ``predicted`` and ``probability`` of each image.
    bins
        How many parts to cut (0, 1] into. A probability on a border is in the lower bin.

    Returns
    -------
    DataFrame
        A row a bin: ``images`` in it, how many are ``right``, and their mean ``confidence``,
        which is NaN in an empty bin.
    """
    edges = np.linspace(0, 1, bins + 1)
    number = np.clip(np.searchsorted(edges, answers["probability"], side="left") - 1, 0, bins - 1)
    right = answers["label"] == answers["predicted"]
    grouped = pd.DataFrame({"right": right, "confidence": answers["probability"]}).groupby(number)
    table = grouped.agg(
        images=("right", "size"), right=("right", "sum"), confidence=("confidence", "mean")
    ).reindex(range(bins))
    return table.fillna({"images": 0, "right": 0}).astype({"images": int, "right": int})


def expected_calibration_error(bins: pd.DataFrame) -> float:
    """Give the mean distance between confidence and accuracy, in [0, 1].

    The sum over the bins of ``images / all images * |right / images - confidence|``: C. Guo,
    G. Pleiss, Y. Sun and K. Q. Weinberger, On calibration of modern neural networks, ICML 2017,
    equation 3.

    Parameters
    ----------
    bins
        What `reliability` returns.
    """
    filled = bins[bins["images"] > 0]
    distances = (filled["right"] - filled["images"] * filled["confidence"]).abs()
    return float(distances.sum() / filled["images"].sum())


def wilson_interval(right: int, images: int) -> tuple[float, float]:
    """Give the range in which an accuracy lies with 95 % confidence, as measured on a sample.

    Unlike accuracy plus or minus its deviation it stays in [0, 1]: E. B. Wilson, Probable
    inference, the law of succession, and statistical inference, JASA 22, 1927.

    Parameters
    ----------
    right, images
        How many answers are right, of how many; at least one.
    """
    square = NORMAL_QUANTILE**2 / images
    fraction = right / images
    centre = fraction + square / 2
    spread = math.sqrt(square * (fraction * (1 - fraction) + square / 4))
    return max(0.0, (centre - spread) / (1 + square)), min(1.0, (centre + spread) / (1 + square))
