"""Sections of files are checked as a whole, and each error names its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from common.command_line import InputError
from common.config import Params
from common.schema import validate
from tests.fixtures import synthetic_params

SHORT = "runs.short.iterations"


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("dataset", "a.b", "dataset: is 'a.b', should be made of letters, digits, - and _ only"),
        ("dataset", 3, "dataset: is 3, should be a valid string"),
        ("runs", {}, "runs: is {}, should have at least 1 item after validation, not 0"),
        (SHORT, 0, "runs.short.iterations: is 0, should be greater than 0"),
        (SHORT, True, "runs.short.iterations: is True, should be a valid integer"),
        (SHORT, "http://me:secret@a/", f"{SHORT}: is 'http://a/', should be a valid integer"),
        ("model.hidden_units", [8, "9"], "model.hidden_units.1: is '9', should be a valid integer"),
        ("model.hidden_units", 8, "model.hidden_units: is 8, should be a valid list"),
        ("train.learning_rate", float("nan"), "train.learning_rate: is nan, should be"),
        ("train.beta_1", 1, "train.beta_1: is 1, should be less than 1"),
        ("train.seed", -1, "train.seed: is -1, should be greater than or equal to 0"),
        ("report", {"grid_sed": 1}, "report.grid_sed: unknown name, did you mean grid_seed?"),
        ("report", {"grid_seed": 1}, "report.smoothing_iterations: missing; report.calibration"),
        ("replicates", 1, "replicates: unknown name"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(place: str, value: Any, problem: str) -> None:
    """With its place, and what it should be; passwords are left out."""
    params = section = synthetic_params()
    *parents, name = place.split(".")
    for parent in parents:
        section = section[parent]
    section[name] = value
    with pytest.raises(InputError) as error:
        validate(Params, params, Path("a.yaml"))
    assert str(error.value).startswith(f"a.yaml: {problem}")
    with pytest.raises(InputError, match=r"^a\.yaml: above\.the\.section\."):
        validate(Params, params, Path("a.yaml"), ("above", "the", "section"))
