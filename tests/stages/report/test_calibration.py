"""Calibration and confidence intervals."""

from __future__ import annotations

import pandas as pd
import pytest

from stages.report.calibration import (
    accuracy_interval,
    calibration_bins,
    expected_calibration_error,
)


def _predictions(*rows: tuple[int, float]) -> pd.DataFrame:
    """Return predictions that are correct (1) or not (0), each with its probability."""
    return pd.DataFrame(
        {
            "label": [1] * len(rows),
            "predicted": [correct for correct, _ in rows],
            "probability": [probability for _, probability in rows],
        }
    )


def test_bins_by_hand() -> None:
    """A probability on an edge is in the lower bin, 0 in the first and 1 in the last."""
    bins = calibration_bins(_predictions((1, 0.0), (0, 0.5), (1, 0.75), (1, 1.0)), 4)
    assert list(bins["examples"]) == [1, 1, 1, 1]
    assert list(bins["correct"]) == [1, 0, 1, 1]
    assert list(bins["confidence"]) == [0.0, 0.5, 0.75, 1.0]


def test_an_empty_bin_has_no_confidence() -> None:
    """It is in the table nevertheless, so that bins of two runs can be compared."""
    bins = calibration_bins(_predictions((1, 0.9), (0, 0.7)), 2)
    assert list(bins["examples"]) == [0, 2]
    assert bins["confidence"].isna().to_list() == [True, False]
    assert bins["confidence"][1] == pytest.approx(0.8)


def test_expected_calibration_error_by_hand() -> None:
    """Two of ten are 0.6 confident and half correct, eight are 0.9 confident and seven correct."""
    predictions = _predictions((1, 0.6), (0, 0.6), (0, 0.9), *[(1, 0.9)] * 7)
    actual = expected_calibration_error(calibration_bins(predictions, 5))
    expected = 2 / 10 * abs(1 / 2 - 0.6) + 8 / 10 * abs(7 / 8 - 0.9)
    assert actual == pytest.approx(expected)


def test_errors_of_opposite_sign_cancel_within_a_bin_only() -> None:
    """Two bins see that the confident predictions are the wrong ones."""
    predictions = _predictions((1, 0.4), (0, 0.6))
    errors = [expected_calibration_error(calibration_bins(predictions, bins)) for bins in (1, 2)]
    assert errors == pytest.approx([0.0, 0.6])


@pytest.mark.parametrize(
    ("correct", "examples", "expected"),
    [(0, 10, (0.0, 0.2775328)), (5, 10, (0.2365931, 0.7634069)), (10, 10, (0.7224672, 1.0))],
)
def test_an_interval_stays_between_0_and_1(
    correct: int, examples: int, expected: tuple[float, float]
) -> None:
    """Values of Wilson's formula, computed by hand."""
    assert accuracy_interval(correct, examples) == pytest.approx(expected, abs=1e-6)
