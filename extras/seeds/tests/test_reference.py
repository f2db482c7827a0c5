"""Compare a run with the statistics of many seeds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

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
from tests.fixtures import ITERATIONS, Workspace

RUN = RunReference(
    train=MeanStd(mean=1.0, std=0.01),
    validation=MeanStd(mean=1.0, std=0.01),
    test=MeanStd(mean=0.96, std=0.002),
    log_costs={0: MeanStd(mean=0.8, std=0.05), 100: MeanStd(mean=-1.0, std=0.3)},
)


def _result(test: float) -> Result:
    return Result(iterations=101, train=1.0, validation=1.0, test=test, min_test_accuracy=0.0)


def _costs(first: float, last: float) -> NDArray[np.float32]:
    return np.exp(np.linspace(first, last, 101)).astype(np.float32)


@pytest.fixture
def reference(workspace: Workspace) -> None:
    """Write a reference for the settings of the workspace."""
    runs = dict.fromkeys(ITERATIONS, RUN)
    reference = Reference(fingerprint=fingerprint(load_config()), seeds=30, runs=runs)
    content = reference.model_dump_json().encode()
    workspace.put(str(REFERENCE.parent), {REFERENCE.name: content})


@pytest.mark.parametrize(
    ("test", "costs", "expected"),
    [
        (0.9679, _costs(0.99, -2.19), {}),
        (0.9681, _costs(0.8, -1.0), {"test accuracy 96.81%": 4.05}),
        (0.95, _costs(0.8, -3.0)[:0], {"test accuracy 95.00%": -5.0}),
        (0.96, _costs(0.8, -3.0), {"cost 0.04979 of iteration 100": -20 / 3}),
        (0.96, _costs(1.1, -3.0)[:100], {"cost 3.004 of iteration 0": 6.0}),
    ],
)
def test_values_beyond_four_standard_deviations_are_outliers(
    test: float, costs: NDArray[np.float32], expected: dict[str, float]
) -> None:
    """In either direction; costs that are not there are not compared."""
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
