"""What a sweep file may contain, and what prevents a sweep."""

from pathlib import Path
from typing import Any

import pytest

from common.config import load_config
from extras.sweeps import cluster
from extras.sweeps.search_space import Sweep, load_sweep
from support.command_line import InputError
from tests.workspace import ROOT, Workspace, write_yaml

pytestmark = pytest.mark.usefixtures("workspace")
SWEEP = Path("some.yaml")


def _load(document: object) -> Sweep:
    write_yaml(SWEEP, document)
    return load_sweep(SWEEP, load_config())


def test_the_sweep_of_the_repository_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep file in git can be run with the params.yaml in git."""
    monkeypatch.chdir(ROOT)
    sweep = load_sweep(Path("extras/sweeps/learning_rate.yaml"), load_config())
    assert (sweep.trials, sweep.seeds) == (20, 2)


def test_a_trial_changes_only_its_own_settings(document: dict[str, Any]) -> None:
    """Settings of the model, of training and of the run can be searched; the rest stays."""
    document["parameters"]["model.hidden_units"] = {"choice": [[16], [32, 8]]}
    document["parameters"]["runs.short.iterations"] = {"choice": [5, 7]}
    sweep, config = _load(document), load_config()
    values = {"model.hidden_units": [32, 8], "train.seed": 9, "runs.short.iterations": 7}
    changed = sweep.apply(config, values)
    assert changed.model.hidden_units == (32, 8)
    assert changed.train == config.train.model_copy(update={"seed": 9})
    assert changed.run("short").iterations == 7
    assert changed.run("long") == config.run("long")


def test_only_numbers_from_a_range_are_rounded(document: dict[str, Any]) -> None:
    """Drawn numbers have four significant digits; those of the sweep file stay as they are."""
    document["parameters"]["train.epsilon"] = {"choice": [1.23456789e-8, 1e-7]}
    values = {"train.learning_rate": 0.00123456, "train.epsilon": 1.23456789e-8, "train.seed": 1}
    assert _load(document).round_values(values) == values | {"train.learning_rate": 0.001235}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("run", "shrot", "run: no run 'shrot' in params.yaml, there are: short, long"),
        ("trials", 3, "trials: is 3, should be a multiple of 2, the number of points in the grid"),
        ("flatten.validation_examples", {"choice": [1]}, "should be a setting of model, train"),
        ("runs.long.iterations", {"choice": [1]}, "a setting of model, train, runs.short"),
        ("model.hidden_unit", {"choice": [1]}, "parameters.model.hidden_unit: unknown name"),
        ("train.beta_1", {}, "Dictionary should have at least 1 item"),
        ("train.beta_1", {"choice": [0.5], "uniform": [0.1, 0.2]}, "should have at most 1 item"),
        ("train.beta_1", {"log_uniform": [0.1, 0.2]}, "should be 'grid_search', 'choice', 'unif"),
        ("train.beta_1", {"uniform": [0.5, 1.5]}, "beta_1: Input should be less than 1, is 1.5"),
        ("train.beta_1", {"uniform": [0.9, 0.5]}, "should be two numbers, the smaller first"),
        ("train.beta_1", {"uniform": [0.9]}, "should be two numbers, the smaller first"),
        ("train.batch_size", {"randint": [1, 2.5]}, "batch_size: Input should be a valid integer"),
        (
            "train.learning_rate",
            {"loguniform": [0.0, 0.5]},
            "Input should be greater than 0, is 0.0",
        ),
        ("train.seed", {"choice": [1, 2]}, "seeds: should be 1, because train.seed is among the"),
    ],
)
def test_a_wrong_value_is_one_line(
    document: dict[str, Any], name: str, value: object, message: str
) -> None:
    """Every value that could be drawn is checked as params.yaml is, before anything starts."""
    (document["parameters"] if "." in name else document)[name] = value
    with pytest.raises(InputError) as raised:
        _load(document)
    assert str(raised.value).startswith("some.yaml: ")
    assert message in str(raised.value)


def test_what_prevents_a_sweep_is_one_line(
    finished: Workspace, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command ends with status 2."""
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    write_yaml(SWEEP, document)
    for arguments, message in (
        (["some"], "some: should be NAME.yaml"),
        (["some.yaml", "--resume"], "some.yaml: nothing to resume"),
        (["some.yaml"], "Ray is not installed; `make .venv/installed-sweeps` installs it"),
    ):
        completed = finished.run("extras.sweeps.sweep", *arguments)
        assert completed.status == 2
        assert message in completed.error()
