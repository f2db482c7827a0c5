"""Train with several seeds, summarise that, and compare a run with it."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.config import load_config
from common.results import Result
from extras.seeds import hooks
from extras.seeds.reference import (
    REFERENCE,
    MeanStd,
    Reference,
    RunReference,
    fingerprint,
    mean_std,
    outliers,
)
from extras.seeds.summary import summarise
from tests.fixtures import ITERATIONS, RAW_FILES, ROOT, Workspace

FOLDER = REFERENCE.parent
RUN = RunReference(
    train=MeanStd(mean=1.0, std=0.01),
    validation=MeanStd(mean=1.0, std=0.01),
    test=MeanStd(mean=0.96, std=0.002),
    log_costs={0: MeanStd(mean=0.8, std=0.05), 1: MeanStd(mean=-1.0, std=0.3)},
)


def _result(test: float) -> Result:
    return Result(iterations=2, train=1.0, validation=1.0, test=test, min_test_accuracy=0.0)


@pytest.fixture
def reference(workspace: Workspace) -> None:
    """Write a reference for the settings of the workspace."""
    runs = dict.fromkeys(ITERATIONS, RUN)
    reference = Reference(fingerprint=fingerprint(load_config()), seeds=30, runs=runs)
    content = reference.model_dump_json().encode()
    workspace.put(str(FOLDER), {REFERENCE.name: content})


@pytest.mark.parametrize(
    ("test", "log_costs", "expected"),
    [
        (0.9679, [0.99, -2.19], {}),
        (0.9681, [0.8, -1.0], {"test accuracy 96.81%": 4.05}),
        (0.95, [], {"test accuracy 95.00%": -5.0}),
        (0.96, [0.8, -3.0], {"cost 0.04979 of iteration 1": -20 / 3}),
        (0.96, [1.1], {"cost 3.004 of iteration 0": 6.0}),
    ],
)
def test_values_beyond_four_standard_deviations_are_outliers(
    test: float, log_costs: list[float], expected: dict[str, float]
) -> None:
    """In either direction; costs that are not there are not compared."""
    costs = np.exp(log_costs).astype(np.float32)
    actual = dict(outliers(RUN, _result(test), costs))
    assert actual == pytest.approx(expected, abs=1e-4)


def test_std_is_that_of_a_sample() -> None:
    """It is divided by n - 1; where it is zero, a z-score is zero or infinite."""
    assert mean_std(np.array([1.0, 2.0])) == MeanStd(mean=1.5, std=0.7071068)
    constant = mean_std(np.full(3, 2 / 3))
    assert [constant.z_score(value) for value in (2 / 3, 0.7, 0.6)] == [0.0, math.inf, -math.inf]


def test_fingerprint_covers_what_decides_a_result(workspace: Workspace) -> None:
    """A reference belongs to all settings except the seed and what is only displayed."""
    before = fingerprint(load_config())
    workspace.params["train"]["seed"] = workspace.params["report"]["grid_seed"] = 7
    workspace.write()
    assert fingerprint(load_config()) == before
    workspace.params["flatten"]["validation_examples"] = 7
    workspace.write()
    assert fingerprint(load_config()) != before


@pytest.mark.usefixtures("reference")
def test_gate_and_summary_use_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    """The gate prints how far each run is, and fails outliers; the summary has a column."""
    Path("costs").mkdir()
    Path("costs/short.csv").write_text("iteration,cost\n0,3.004166\n")
    failures = list(hooks.gate_failures(load_config(), {"short": _result(0.9694)}))
    suffix = "standard deviations from the mean of 30 seeds"
    assert failures == [
        f"short: test accuracy 96.94% is +4.7 {suffix}",
        f"short: cost 3.004 of iteration 0 is +6.0 {suffix}",
    ]
    assert capsys.readouterr().out == f"short: test accuracy 96.94% is +4.7 {suffix}\n"
    column = dict.fromkeys(ITERATIONS, "96.00 ± 0.20 %")
    assert hooks.summary_columns(load_config()) == {"30 seeds, test": column}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[]", "damaged (Input should be an object); `git checkout extras/seeds/reference.json`"),
        (None, "is of another model or other settings; `make seeds` makes one for these"),
    ],
)
@pytest.mark.usefixtures("reference")
def test_reference_that_cannot_be_used_is_reported_and_fails_nothing(
    workspace: Workspace, content: bytes | None, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what to do; the summary has no column then."""
    workspace.params["train"]["learning_rate"] = 0.1
    workspace.write()
    REFERENCE.write_bytes(content or REFERENCE.read_bytes())
    assert list(hooks.gate_failures(load_config(), {"short": _result(0.0)})) == []
    expected = f"not compared with other seeds: extras/seeds/reference.json: {reason}\n"
    assert capsys.readouterr().out == expected
    assert hooks.summary_columns(load_config()) == {}


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
    assert (FOLDER / "results.png").read_bytes().startswith(b"\x89PNG")


def test_readme_states_the_recorded_summary() -> None:
    """A new study makes this fail until the README states its numbers."""
    readme = (ROOT / FOLDER / "README.md").read_text(encoding="utf-8")
    summary = json.loads((ROOT / FOLDER / "summary.json").read_text())
    for name, run in summary["runs"].items():
        values = (run["mean"], run["std"], run["min"], run["miss_probability"])
        row = "| `{}` | {:.2f} ± {:.2f} % | {:.2f} % | {:.2f} % |"
        assert row.format(name, *(100 * value for value in values)) in readme
