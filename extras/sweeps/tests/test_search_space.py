"""What a sweep file may say, and what is said when it is wrong."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures import ITERATIONS, ROOT, Workspace, yaml

from common.command_line import InputError
from common.config import load_config
from extras.sweeps import search_space

DOCUMENT: dict[str, Any] = {
    "run": "short",
    "parameters": {
        "train.learning_rate": {"log_uniform": [1e-4, 1e-1]},
        "train.batch_size": {"grid": [16, 32]},
    },
    "trials": 4,
    "seeds": 2,
    "draw_seed": 1,
    "scheduler": "none",
    "validate_every_iterations": 10,
    "resources": {"cpus": 1, "memory_megabytes": 100},
}


def _load(document: Any, name: str = "some.yaml") -> search_space.Sweep:
    with Path(name).open("w", encoding="utf-8") as file:
        yaml().dump(document, file)
    return search_space.load(Path(name), load_config())


@pytest.mark.parametrize("path", sorted((ROOT / "sweeps").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_sweeps_of_the_repository(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sweep file in git is valid."""
    monkeypatch.chdir(ROOT)
    assert search_space.load(path, load_config()).trials > 1


@pytest.mark.usefixtures("folder")
def test_a_trial_has_the_settings_of_its_run_but_for_what_was_drawn() -> None:
    """What is not searched is as in params.yaml; the iterations can be searched, too."""
    document = copy.deepcopy(DOCUMENT)
    document["parameters"]["runs.short.iterations"] = {"choice": [5, 7]}
    sweep = _load(document)
    config = load_config()
    train, iterations = sweep.applied(config, {"train.learning_rate": 0.5, "train.seed": 9})
    assert config.train.model_copy(update={"learning_rate": 0.5, "seed": 9}) == train
    assert ITERATIONS["short"] == iterations
    assert sweep.applied(config, {"runs.short.iterations": 7})[1] == 7


@pytest.mark.usefixtures("folder")
def test_drawn_numbers_are_rounded_and_chosen_ones_are_not() -> None:
    """Four significant digits are typed easily; what somebody has written stays."""
    document = copy.deepcopy(DOCUMENT)
    document["parameters"]["train.epsilon"] = {"choice": [1.23456789e-8, 1e-7]}
    drawn = {"train.learning_rate": 0.00123456, "train.epsilon": 1.23456789e-8, "train.seed": 1}
    expected = drawn | {"train.learning_rate": 0.001235}
    assert expected == _load(document).values(drawn)


@pytest.mark.usefixtures("folder")
def test_the_command_names_what_was_searched() -> None:
    """Lists are written as DVC reads them, and quoted for the shell."""
    document = copy.deepcopy(DOCUMENT)
    document["parameters"] = {
        "train.hidden_units": {"choice": [[128, 64], [300, 100]]},
        "train.learning_rate": {"uniform": [0.001, 0.1]},
    }
    values = {"train.learning_rate": 1e-05, "train.hidden_units": (300, 100), "train.seed": 3}
    expected = (
        ".venv/bin/dvc exp run -S 'train.hidden_units=[300,100]' -S train.learning_rate=1e-05"
    )
    assert expected == _load(document).experiment(values)


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("run", "shrot", "run: no run 'shrot' in params.yaml, there are: short, long"),
        ("run", None, "run: is None, should be a valid string"),
        ("trial", 3, "trial: unknown name"),
        ("trials", 0, "trials: is 0, should be greater than 0"),
        ("trials", 3, "trials: is 3, should be a multiple of 2"),
        ("seeds", 1.5, "seeds: is 1.5, should be a valid integer"),
        ("draw_seed", 2**32, "draw_seed: is 4294967296, should be less than 4294967296"),
        ("scheduler", "ahsa", "scheduler: is 'ahsa', should be 'none' or 'asha'"),
        ("resources.cpus", 0, "resources.cpus: is 0, should be greater than 0"),
        ("resources.gpus", 1, "resources.gpus: unknown name"),
        ("parameters", {}, "parameters: is {}, should have at least 1 item"),
        ("parameters.flatten.validation_examples", {"grid": [1]}, "should be one of train.hidden"),
        ("parameters.runs.long.iterations", {"grid": [1]}, "should be one of train.hidden"),
        ("parameters.train.learning_rat", {"grid": [1]}, "train.learning_rat: should be one of"),
        ("parameters.train.beta_1", {}, "should have one of grid, choice, uniform, log_uniform"),
        ("parameters.train.beta_1", {"grid": []}, "grid: is [], should have at least 1 item"),
        ("parameters.train.beta_1", {"grid": [0.5], "choice": [0.5]}, "should have one of grid"),
        ("parameters.train.beta_1", {"grid": [0.5, 1.5]}, "beta_1: 1.5 should be less than 1"),
        ("parameters.train.beta_1", {"uniform": [0.5, 1.5]}, "beta_1: 1.5 should be less than 1"),
        ("parameters.train.beta_1", {"uniform": [0.9, 0.5]}, "should go from a smaller number"),
        ("parameters.train.beta_1", {"uniform": [0.9]}, "uniform.1: missing"),
        ("parameters.train.beta_1", {"log_uniform": [0.0, 0.5]}, "should begin above 0"),
        ("parameters.train.batch_size", {"choice": ["64"]}, "batch_size: '64' should be a valid"),
        ("parameters.train.batch_size", {"uniform": [8.0, 64.5]}, "batch_size: 64.5 should be"),
        ("parameters.train.seed", {"grid": [1, 2]}, "seeds: is 2, should be 1 where train.seed"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_wrong_sweep_is_named(where: str, value: Any, said: str) -> None:
    """The error says the file, the name in it, what it is, and what would be right."""
    document = copy.deepcopy(DOCUMENT)
    section, _, name = where.partition(".")
    if name:
        document[section][name] = value
    else:
        document[section] = value
    with pytest.raises(InputError) as raised:
        _load(document)
    assert str(raised.value).startswith("some.yaml: ")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["some.yml", "a b.yaml", "-a.yaml"])
@pytest.mark.usefixtures("folder")
def test_the_name_of_a_sweep_is_that_of_a_folder(name: str) -> None:
    """Another name is refused, before the file is read."""
    with pytest.raises(InputError, match="should be NAME"):
        _load(DOCUMENT, name)


def test_a_file_that_is_missing(workspace: Workspace) -> None:
    """The command ends in one line with status 2, without Ray."""
    outcome = workspace.run("sweep", "sweeps/none.yaml")
    assert outcome.status == 2
    assert "sweeps/none.yaml: not found" in outcome.error()
