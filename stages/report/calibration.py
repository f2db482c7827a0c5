"""How well probabilities match accuracy, and how certain a measured accuracy is."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest


def calibration_bins(predictions: pd.DataFrame, bins: int) -> pd.DataFrame:
    """Return ``examples``, ``correct``, ``accuracy`` and mean ``confidence``, one row per bin.

    The bins have equal width, and the index is their middles. A probability on an edge is in the
    lower bin.

    >>> columns = {"label": [1, 0, 1], "predicted": [1, 1, 1], "probability": [0.5, 0.75, 1]}
    >>> calibration_bins(pd.DataFrame(columns), 2).reset_index()
        bin  examples  correct  accuracy  confidence
    0  0.25         1        1       1.0       0.500
    1  0.75         2        1       0.5       0.875
    """
    edges = np.linspace(0, 1, bins + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    confidence = predictions["probability"]
    place = pd.cut(confidence, edges.tolist(), labels=middles.tolist(), include_lowest=True)
    correct = predictions["label"] == predictions["predicted"]
    columns = {"examples": 1, "correct": correct, "accuracy": correct, "confidence": confidence}
    functions = {"examples": "sum", "correct": "sum", "accuracy": "mean", "confidence": "mean"}
    return pd.DataFrame(columns).groupby(place.rename("bin"), observed=False).agg(functions)


def expected_calibration_error(bins: pd.DataFrame) -> float:
    """Compute the mean distance of confidence and accuracy in `bins`, weighted by their examples.

    Reference: C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger: On calibration of modern neural
    networks. ICML 2017, equation 3.
    """
    distances = (bins["accuracy"] - bins["confidence"]).abs()
    return float((distances * bins["examples"]).sum() / bins["examples"].sum())


def accuracy_interval(correct: int, examples: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of an accuracy, which stays in [0, 1].

    Reference: E. B. Wilson: Probable inference, the law of succession, and statistical inference.
    Journal of the American Statistical Association 22, 1927.
    """
    interval = binomtest(correct, examples).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
