"""Train with several seeds, summarise that, and compare a run with it."""

import doctest
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.config import load_config
from common.results import Result
from extras.seeds import hooks, summary
from extras.seeds.reference import REFERENCE, MeanStd, Reference, RunReference, fingerprint
from extras.seeds.summary import miss_probability, threshold
from tests.workspace import ITERATIONS, RAW_FILES, ROOT, Workspace

FOLDER = REFERENCE.parent
SUFFIX = "standard deviations from the mean of 30 seeds"


def _result(test: float) -> Result:
    return Result(iterations=2, train=1.0, validation=1.0, test=test, min_test_accuracy=0.0)


def test_an_example_prints_what_its_docstring_says() -> None:
    assert doctest.testmod(summary) == (0, 1)


@pytest.fixture
def reference(workspace: Workspace) -> None:
    """Write a reference for the settings of the workspace."""
    perfect, config = MeanStd(mean=1.0, std=0.01), load_config()
    runs = {
        name: RunReference(
            fingerprint=fingerprint(config, name),
            train=perfect,
            validation=perfect,
            test=MeanStd(mean=0.96, std=0.002),
            lowest_test=0.95,
            miss_probability=0.0,
            log_costs={0: MeanStd(mean=0.8, std=0.05), 1: MeanStd(mean=-1.0, std=0.3)},
        )
        for name in ITERATIONS
    }
    content = Reference(seeds=30, runs=runs).model_dump_json().encode()
    workspace.put(str(FOLDER), {REFERENCE.name: content})


@pytest.mark.usefixtures("reference")
def test_values_beyond_four_standard_deviations_fail_the_gate(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In either direction; costs that are not there are not compared."""
    Path("costs").mkdir()

    def failures(test: float, *log_costs: float) -> list[str]:
        costs = pd.Series(np.exp(np.array(log_costs, np.float32)), name="cost")
        costs.to_csv("costs/short.csv", index_label="iteration")
        results = {"short": _result(test), "long": _result(0.96)}
        return list(hooks.gate_failures(load_config(), results))

    assert failures(0.9679, 0.99, -2.19) == []
    assert f"long: test accuracy 96.00% is +0.0 {SUFFIX}\n" in capsys.readouterr().out
    assert failures(0.9681, 0.8, -1.0) == [f"short: test accuracy 96.81% is +4.0 {SUFFIX}"]
    assert failures(0.95) == [f"short: test accuracy 95.00% is -5.0 {SUFFIX}"]
    assert failures(0.96, 0.8, -3.0) == [f"short: cost 0.04979 of iteration 1 is -6.7 {SUFFIX}"]
    assert failures(0.96, 1.1) == [f"short: cost 3.004 of iteration 0 is +6.0 {SUFFIX}"]


def test_before_the_first_study_nothing_is_compared(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.write()
    config = load_config()
    results = dict.fromkeys(config.runs, _result(0.9))
    assert list(hooks.gate_failures(config, results)) == []
    assert "short: not compared: `make seeds` has not seen" in capsys.readouterr().out
    assert hooks.summary_columns(config) == {}


@pytest.mark.usefixtures("reference")
def test_a_run_is_compared_while_its_own_settings_are_those_of_the_study(
    workspace: Workspace,
) -> None:
    """The gate and the summary leave out the others, such as a new run."""

    def compared(section: str, setting: str, value: object) -> list[str]:
        workspace.params[section][setting] = value
        workspace.write()
        config = load_config()
        failures = list(hooks.gate_failures(config, dict.fromkeys(config.runs, _result(0.9))))
        column = hooks.summary_columns(config).get("30 seeds, mean ± std", {})
        assert set(column.values()) <= {"96.00 ± 0.20 %"}
        assert [line.partition(":")[0] for line in failures] == list(column)
        return list(column)

    other = {"iterations": 7, "min_test_accuracy": 0.0}
    assert compared("train", "seed", 7) == ["short", "long"]
    assert compared("report", "grid_seed", 7) == ["short", "long"]
    assert compared("runs", "new", other) == ["short", "long"]
    assert compared("runs", "long", other) == ["short"]
    assert compared("flatten", "validation_examples", 7) == []


def test_statistics_are_those_of_a_sample() -> None:
    """Student's distribution with 2 degrees of freedom is 1/2 + t / (2 sqrt(2 + t^2))."""
    assert MeanStd.of(np.array([1.0, 2.0])) == MeanStd(mean=1.5, std=0.7071068)
    assert abs(MeanStd.of(np.full(3, 2 / 3)).z_score(2 / 3)) < 1
    assert threshold(MeanStd(mean=0.959, std=0.0023)) == 0.949
    t = -2 / np.sqrt(4 / 3)
    expected = 0.5 + t / (2 * np.sqrt(2 + t**2))
    assert miss_probability(np.array([1.0, 2.0, 3.0]), 0.0) == pytest.approx(expected, abs=1e-5)


def test_too_few_seeds_are_refused(workspace: Workspace) -> None:
    """One seed has no standard deviation; nothing is trained."""
    outcome = workspace.run("extras.seeds.train", 1, "flat", FOLDER / "results.csv")
    assert outcome.status == 2
    assert outcome.error() == "seeds: one has no standard deviation; at least 2 are needed"


@pytest.mark.slow
def test_study_is_what_the_gate_compares_with(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its first seed gives the costs of the pipeline's own run, which is near the mean."""
    for command in (
        ("flatten", workspace.put("raw", RAW_FILES), "flat"),
        ("extras.seeds.train", 3, "flat", FOLDER / "results.csv"),
        ("extras.seeds.summary", FOLDER / "results.csv", FOLDER),
        ("train", "long", "flat", "model", "costs/long.csv", "long.csv"),
    ):
        outcome = workspace.run(*command)
        assert outcome.status == 0, outcome.err
    study = pd.read_csv(FOLDER / "results.csv")
    rows = list(zip(study["run"], study["seed"], strict=True))
    assert rows == [(name, seed) for seed in (1, 2, 3) for name in ("short", "long")]
    sampled = study.iloc[1].filter(like="cost_").to_numpy(np.float32)
    costs = pd.read_csv("costs/long.csv", dtype={"cost": "float32"})["cost"]
    assert sampled.tolist() == costs[::100].tolist()

    measured: Any = study.iloc[:2][["train", "validation", "test"]].to_dict("records")
    own = [Result(iterations=1, **row, min_test_accuracy=0.0) for row in measured]
    assert list(hooks.gate_failures(load_config(), dict(zip(ITERATIONS, own, strict=True)))) == []
    assert "of 3 seeds" in capsys.readouterr().out
    assert (FOLDER / "results.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(not (ROOT / FOLDER / "README.md").exists(), reason="no study yet")
def test_readme_states_the_recorded_statistics() -> None:
    """A new study makes this fail until the README states its numbers."""
    readme = (ROOT / FOLDER / "README.md").read_text(encoding="utf-8")
    for name, run in json.loads((ROOT / REFERENCE).read_text())["runs"].items():
        test = run["test"]
        values = (test["mean"], test["std"], run["lowest_test"], run["miss_probability"])
        row = "| `{}` | {:.2f} ± {:.2f} % | {:.2f} % | {:.2f} % |"
        assert row.format(name, *(100 * value for value in values)) in readme
