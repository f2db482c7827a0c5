"""Which setting is the best, and what is written."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from extras.sweeps.plots import sweep_figure
from extras.sweeps.results import SweepResults
from extras.sweeps.search_space import Sweep


def _results(path: Path, document: dict[str, Any], rows: list[tuple[Any, ...]]) -> SweepResults:
    columns = ["train.learning_rate", "train.batch_size", "train.seed", "validation", "status"]
    table = pd.DataFrame(rows, columns=columns).assign(history=None)
    return SweepResults(path / "some.yaml", Sweep.model_validate(document), table)


def test_the_best_setting_has_the_best_mean(tmp_path: Path, document: dict[str, Any]) -> None:
    """One lucky seed is not enough, and a seed that was stopped, failed or left out is too few."""
    rows = [
        (0.1, 16, 1, 0.99, "finished"),
        (0.1, 16, 2, 0.91, "finished"),
        (0.2, 16, 1, 0.96, "finished"),
        (0.2, 16, 2, 0.98, "finished"),
        (0.2, 16, 2, 0.98, "finished"),  # drawn twice
        (0.3, 16, 1, 0.99, "finished"),
        (0.3, 16, 2, math.nan, "failed"),
        (0.4, 16, 1, 0.98, "stopped"),
        (0.4, 16, 2, 0.98, "finished"),
        (0.5, 16, 1, 0.99, "finished"),
    ]
    results = _results(tmp_path, document, rows)
    assert list(results.ranking["train.learning_rate"]) == [0.2, 0.1]
    assert list(results.ranking["validation"]) == pytest.approx([0.97, 0.95])
    assert results.best["std"] == pytest.approx(np.sqrt(2 * 0.01**2))
    assert not results.is_complete


def test_one_trial_is_drawn_as_well_as_many(tmp_path: Path, document: dict[str, Any]) -> None:
    """With one setting and one seed there is no spread, but a figure."""
    rows = [(0.1, 16, 1, 1.0, "finished")]
    results = _results(tmp_path, document | {"seeds": 1}, rows)
    assert sweep_figure(results).startswith(b"\x89PNG")
