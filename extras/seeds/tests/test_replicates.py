"""Statistics over seeds, against hand-made numbers; and a study of the synthetic dataset."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from conftest import CONTENTS, ITERATIONS, Folder

from extras.seeds.spread import comparison, summary


def test_summary_of_known_values() -> None:
    """1, 2 and 3: the interval and the probability follow from Student's table for 2 degrees."""
    found = summary(np.array([1.0, 2.0, 3.0]), threshold=0.0)
    assert (2.0, 1.0, 1.0) == (found["mean"], found["deviation"], found["smallest"])
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
    assert 2.0 == found["mean_difference"]
    assert pytest.approx(2 * np.sqrt(3), abs=1e-5) == found["t"]


@pytest.mark.slow
def test_study_of_the_synthetic_dataset(folder: Folder) -> None:
    """Each run with each seed is a row, the first seed that of the pipeline's own run, and the
    gate's reference is of all of them.
    """
    folder.params["replicates"]["seeds"] = 3
    folder.write()
    raw = folder.put("raw", CONTENTS)
    assert 0 == folder.run("flatten", raw, "flat").status
    outcome = folder.run("extras.seeds.replicates", "flat", "extras/seeds/replicates.csv")
    assert 0 == outcome.status, outcome.err
    outcome = folder.run(
        "extras.seeds.spread",
        "extras/seeds/replicates.csv",
        "studies",
        "extras/seeds/reference.json",
    )
    assert 0 == outcome.status, outcome.err
    table = pd.read_csv("extras/seeds/replicates.csv")
    assert [("short", 1), ("long", 1), ("short", 2), ("long", 2), ("short", 3), ("long", 3)] == [
        *zip(table["run"], table["seed"], strict=True)
    ]
    for name in ITERATIONS:
        given = folder.run("train", name, "flat/train.npz", f"models/{name}.npz", f"{name}.csv")
        assert 0 == given.status
        costs = pd.read_csv(f"{name}.csv", dtype={"cost": np.float32})["cost"]
        first = table[(table["run"] == name) & (table["seed"] == 1)].iloc[0]
        assert str(costs[0]) == str(np.float32(first["cost_0"]))
    known = json.loads((folder.path / "extras/seeds/reference.json").read_text())
    assert (3, ["0"]) == (known["seeds"], list(known["runs"]["short"]["log_costs"]))
    assert ["0", "100"] == list(known["runs"]["long"]["log_costs"])
    described = json.loads((folder.path / "extras/seeds/replicates.json").read_text())
    expected = table.loc[table["run"] == "long", "test"].mean()
    assert pytest.approx(expected, rel=1e-5) == described["runs"]["long"]["mean"]
    assert (folder.path / "extras/seeds/replicates.png").read_bytes().startswith(b"\x89PNG")
