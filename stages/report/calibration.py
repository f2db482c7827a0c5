"""How well probabilities match accuracy, and how certain a measured accuracy is."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest


def calibration_bins(predictions: pd.DataFrame, bins: int) -> pd.DataFrame:
    """Compare confidence with accuracy, in bins of equal width in (0, 1].

    A probability on an edge is in the lower bin.

    Returns
    -------
    DataFrame
        One row per bin: the number of ``examples``, how many are ``correct``, and their mean
        ``confidence``, which is NaN in an empty bin.
    """
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges, predictions["probability"], side="left") - 1
    correct = predictions["label"] == predictions["predicted"]
    table = pd.DataFrame({"correct": correct, "confidence": predictions["probability"]})
    binned = table.groupby(np.clip(place, 0, bins - 1)).agg(
        examples=("correct", "size"), correct=("correct", "sum"), confidence=("confidence", "mean")
    )
    counts = {"examples": 0, "correct": 0}
    return binned.reindex(range(bins)).fillna(counts).astype(dict.fromkeys(counts, int))


def expected_calibration_error(bins: pd.DataFrame) -> float:
    """Compute the mean distance of confidence and accuracy in `bins`, weighted by their examples.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger: On calibration of modern neural networks.
    ICML 2017, equation 3.
    """
    filled = bins[bins["examples"] > 0]
    distances = (filled["correct"] - filled["examples"] * filled["confidence"]).abs()
    return float(distances.sum() / filled["examples"].sum())


def accuracy_interval(correct: int, examples: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of an accuracy, by Wilson's method.

    Unlike the accuracy plus or minus two standard errors, it stays in [0, 1].
    """
    interval = binomtest(correct, examples).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
