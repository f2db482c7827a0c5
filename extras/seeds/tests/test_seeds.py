"""Train the synthetic dataset with several seeds, and summarise that."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.config import load_config
from common.results import Result
from extras.seeds import hooks
from extras.seeds.summary import summarise
from tests.fixtures import RAW_FILES, ROOT, Workspace

FOLDER = Path("extras/seeds")


def test_summary_of_known_values() -> None:
    """For 1, 2 and 3 the probability follows from Student's distribution for 2 degrees."""
    summary = summarise(np.array([1.0, 2.0, 3.0]), threshold=0.0)
    assert (summary["mean"], summary["std"], summary["min"]) == (2.0, 1.0, 1.0)
    # With 2 degrees of freedom the distribution is 1/2 + t / (2 sqrt(2 + t^2)).
    t = -2 / np.sqrt(4 / 3)
    expected = 0.5 + t / (2 * np.sqrt(2 + t**2))
    assert summary["miss_probability"] == pytest.approx(expected, abs=1e-5)


def test_too_few_seeds_are_refused(workspace: Workspace) -> None:
    """One seed has no standard deviation; nothing is trained."""
    workspace.put(str(FOLDER), {"params.yaml": b"seeds: 1\n"})
    outcome = workspace.run("extras.seeds.train", "flat", FOLDER / "results.csv")
    assert outcome.status == 2
    assert outcome.error().startswith("extras/seeds/params.yaml: seeds: is 1, should be greater")


@pytest.mark.slow
def test_study_is_what_the_gate_compares_with(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its first seed gives the costs of the pipeline's own run, which is near the mean."""
    workspace.put(str(FOLDER), {"params.yaml": b"seeds: 3\n"})
    for command in (
        ("flatten", workspace.put("raw", RAW_FILES), "flat"),
        ("extras.seeds.train", "flat", FOLDER / "results.csv"),
        ("extras.seeds.summary", FOLDER / "results.csv", FOLDER),
        ("train", "long", "flat", "weights.npz", "costs/long.csv"),
    ):
        outcome = workspace.run(*command)
        assert outcome.status == 0, outcome.err
    study = pd.read_csv(FOLDER / "results.csv")
    rows = list(zip(study["run"], study["seed"], strict=True))
    assert rows == [(name, seed) for seed in (1, 2, 3) for name in ("short", "long")]
    sampled = study.iloc[1].filter(like="cost_").to_numpy(np.float32)
    costs = pd.read_csv("costs/long.csv", dtype={"cost": "float32"})["cost"]
    assert sampled.tolist() == costs[::100].tolist()

    accuracies = study.iloc[1][["train", "validation", "test"]]
    iterations = load_config().runs["long"].iterations
    own = Result(iterations=iterations, **accuracies, min_test_accuracy=0.0)
    assert list(hooks.gate_failures(load_config(), {"long": own})) == []
    assert "of 3 seeds" in capsys.readouterr().out
    chance = own.model_copy(update={"test": 0.25})
    assert len(list(hooks.gate_failures(load_config(), {"long": chance}))) == 1
    assert (FOLDER / "results.png").read_bytes().startswith(b"\x89PNG")


def test_readme_states_the_recorded_summary() -> None:
    """A new study makes this fail until the README states its numbers."""
    readme = (ROOT / FOLDER / "README.md").read_text(encoding="utf-8")
    summary = json.loads((ROOT / FOLDER / "summary.json").read_text())
    for name, run in summary["runs"].items():
        values = (run["mean"], run["std"], run["min"], run["miss_probability"])
        row = "| `{}` | {:.2f} ± {:.2f} % | {:.2f} % | {:.2f} % |"
        assert row.format(name, *(100 * value for value in values)) in readme
