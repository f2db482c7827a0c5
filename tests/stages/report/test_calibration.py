"""Calibration."""

from __future__ import annotations

import pandas as pd
import pytest

from stages.report.calibration import calibration_bins, expected_calibration_error


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
    """A probability on an edge is in the lower bin; an empty bin has no confidence."""
    bins = calibration_bins(_predictions((1, 0.0), (0, 0.5), (0, 0.7), (1, 0.74), (1, 1.0)), 5)
    assert list(bins["examples"]) == [1, 0, 1, 2, 1]
    assert list(bins["correct"]) == [1, 0, 0, 1, 1]
    assert bins["confidence"].isna().to_list() == [False, True, False, False, False]
    assert bins["confidence"][3] == pytest.approx(0.72)


def test_expected_calibration_error_by_hand() -> None:
    """Two of ten are 0.6 confident and half correct, eight are 0.9 confident and seven correct."""
    predictions = _predictions((1, 0.6), (0, 0.6), (0, 0.9), *[(1, 0.9)] * 7)
    actual = expected_calibration_error(calibration_bins(predictions, 5))
    expected = 2 / 10 * abs(1 / 2 - 0.6) + 8 / 10 * abs(7 / 8 - 0.9)
    assert actual == pytest.approx(expected)
