"""Statistics over seeds, against hand-made numbers; and a study of the synthetic dataset."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from tests.fixtures import RAW_FILES, ITERATIONS, Workspace

from extras.seeds.spread import comparison, summary


def test_summary_of_known_values() -> None:
    """1, 2 and 3: the interval and the probability follow from Student's table for 2 degrees."""
    found = summary(np.array([1.0, 2.0, 3.0]), threshold=0.0)
    assert (found["mean"], found["deviation"], found["smallest"]) == (2.0, 1.0, 1.0)
    # 4.30265 is the 97.5th percentile of Student's distribution with 2 degrees of freedom.
    assert pytest.approx(2 - 4.30265 / np.sqrt(3), abs=1e-4) == found["interval_low"]
    assert pytest.approx(2 + 4.30265 / np.sqrt(3), abs=1e-4) == found["interval_high"]
    # With 2 degrees the distribution is 1/2 + t / (2 sqrt(2 + t^2)).
    away = -2 / np.sqrt(4 / 3)
    expected = 0.5 + away / (2 * np.sqrt(2 + away**2))
    assert pytest.approx(expected, abs=1e-5) == found["probability_of_missing_it"]


def test_comparison_is_paired() -> None:
    """Differences of 1, 2 and 3 have t = 2 sqrt(3), whatever the values themselves."""
    first = np.array([10.0, -50.0, 7.0])
    found = comparison(first, first + np.array([1.0, 2.0, 3.0]))
    assert found["mean_difference"] == 2.0
    assert pytest.approx(2 * np.sqrt(3), abs=1e-5) == found["t"]


@pytest.mark.slow
def test_study_of_the_synthetic_dataset(workspace: Workspace) -> None:
    """Each run with each seed is a row, the first seed that of the pipeline's own run, and the
    gate's reference is of all of them.
    """
    workspace.params["replicates"]["seeds"] = 3
    workspace.write()
    raw = workspace.put("raw", RAW_FILES)
    assert workspace.run("flatten", raw, "flat").status == 0
    outcome = workspace.run("extras.seeds.replicates", "flat", "extras/seeds/replicates.csv")
    assert outcome.status == 0, outcome.err
    outcome = workspace.run(
        "extras.seeds.spread",
        "extras/seeds/replicates.csv",
        "studies",
        "extras/seeds/reference.json",
    )
    assert outcome.status == 0, outcome.err
    table = pd.read_csv("extras/seeds/replicates.csv")
    assert [*zip(table["run"], table["seed"], strict=True)] == [
        ("short", 1),
        ("long", 1),
        ("short", 2),
        ("long", 2),
        ("short", 3),
        ("long", 3),
    ]
    for name in ITERATIONS:
        given = workspace.run("train", name, "flat/train.npz", f"models/{name}.npz", f"{name}.csv")
        assert given.status == 0
        costs = pd.read_csv(f"{name}.csv", dtype={"cost": np.float32})["cost"]
        first = table[(table["run"] == name) & (table["seed"] == 1)].iloc[0]
        assert str(costs[0]) == str(np.float32(first["cost_0"]))
    known = json.loads((workspace.path / "extras/seeds/reference.json").read_text())
    assert (known["seeds"], list(known["runs"]["short"]["log_costs"])) == (3, ["0"])
    assert list(known["runs"]["long"]["log_costs"]) == ["0", "100"]
    described = json.loads((workspace.path / "extras/seeds/replicates.json").read_text())
    expected = table.loc[table["run"] == "long", "test"].mean()
    assert pytest.approx(expected, rel=1e-5) == described["runs"]["long"]["mean"]
    assert (workspace.path / "extras/seeds/replicates.png").read_bytes().startswith(b"\x89PNG")
