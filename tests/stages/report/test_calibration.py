"""Calibration and confidence intervals."""

from __future__ import annotations

import pandas as pd
import pytest

from stages.report import calibration as uncertainty


def _answers(*rows: tuple[int, float]) -> pd.DataFrame:
    """Make answers that are right (1) or wrong (0), with a probability each."""
    return pd.DataFrame(
        {
            "label": [1] * len(rows),
            "predicted": [right for right, _ in rows],
            "probability": [probability for _, probability in rows],
        }
    )


def test_reliability_by_hand() -> None:
    """A border is in the lower bin, 0 in the first and 1 in the last; an empty bin stays."""
    bins = uncertainty.reliability(_answers((1, 0.0), (0, 0.5), (1, 0.75), (1, 1.0)), 4)
    assert list(bins["images"]) == [1, 1, 1, 1]
    assert list(bins["right"]) == [1, 0, 1, 1]
    assert list(bins["confidence"]) == [0.0, 0.5, 0.75, 1.0]
    bins = uncertainty.reliability(_answers((1, 0.9), (0, 0.7)), 2)
    assert list(bins["images"]) == [0, 2]
    assert bins["confidence"].isna().to_list() == [True, False]
    assert pytest.approx(bins["confidence"][1]) == 0.8


def test_expected_calibration_error_by_hand() -> None:
    """Two of ten are 0.6 sure and half right, eight are 0.9 sure and seven right."""
    answers = _answers((1, 0.6), (0, 0.6), (0, 0.9), *[(1, 0.9)] * 7)
    expected = 2 / 10 * abs(1 / 2 - 0.6) + 8 / 10 * abs(7 / 8 - 0.9)
    found = uncertainty.expected_calibration_error(uncertainty.reliability(answers, 5))
    assert expected == pytest.approx(found)


def test_signs_in_one_bin_cancel_and_in_two_do_not() -> None:
    """One bin compares the means alone; more see that the surer answers are the wrong ones."""
    answers = _answers((1, 0.4), (0, 0.6))
    errors = [
        uncertainty.expected_calibration_error(uncertainty.reliability(answers, bins))
        for bins in (1, 2)
    ]
    assert pytest.approx(errors) == [0.0, 0.6]


@pytest.mark.parametrize(
    ("right", "images", "expected"),
    [
        (0, 10, (0.0, 0.2775328)),
        (5, 10, (0.2365931, 0.7634069)),
        (10, 10, (0.7224672, 1.0)),
        (9571, 10000, (0.9529499, 0.9608991)),
    ],
)
def test_wilson_interval(right: int, images: int, expected: tuple[float, float]) -> None:
    """As scipy.stats.binomtest(right, images).proportion_ci(method="wilson") gives it."""
    assert expected == pytest.approx(uncertainty.wilson_interval(right, images), abs=1e-6)
