"""What a user may change in params.yaml, and what is reported if it is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from common.command_line import InputError
from common.config import load_config
from tests.fixtures import ITERATIONS, ROOT, Workspace


def test_the_repositorys_settings_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """params.yaml and datasets.yaml as they are in git load, and say MNIST."""
    monkeypatch.chdir(ROOT)
    config = load_config()
    assert config.dataset_name == "mnist"
    assert len(config.dataset.classes) == 10
    assert config.longest_run == "long"


@pytest.mark.usefixtures("workspace")
def test_settings_are_read_as_they_are_written() -> None:
    """Every number keeps its value, and nothing can change it later."""
    config = load_config()
    assert {name: run.iterations for name, run in config.runs.items()} == ITERATIONS
    assert config.train.epsilon == 1e-8
    assert config.model.hidden_units == (128, 64)
    assert config.run("long") is config.runs["long"]
    with pytest.raises(ValueError, match="frozen"):
        config.train.seed = 2
    with pytest.raises(InputError, match="no run 'lang', there are: short, long"):
        config.run("lang")


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("dataset", "mnits", "dataset: 'mnits' is not in datasets.yaml: synthetic"),
        ("dataset", "a.b", "dataset: is 'a.b', should be made of letters, digits, - and _ only"),
        ("runs", {}, "runs: is {}, should have at least 1 item"),
        ("runs.a/b", {}, "runs.a/b: is 'a/b', should be made of letters, digits, - and _ only"),
        ("runs.short.iterations", 0, "runs.short.iterations: is 0, should be greater than 0"),
        ("runs.short.iterations", True, "runs.short.iterations: is True, should be"),
        ("runs.short.iterations", "10", "runs.short.iterations: is '10', should be"),
        ("runs.short.min_test_accuracy", 1.01, "min_test_accuracy: is 1.01, should be less than"),
        ("flatten.validation_images", 0, "flatten.validation_images: is 0, should be greater"),
        ("model.hidden_units", [128, "64"], "model.hidden_units.1: is '64', should be"),
        ("train.learning_rate", float("nan"), "train.learning_rate: is nan, should be"),
        ("train.beta_1", 1, "train.beta_1: is 1, should be less than 1"),
        ("train.seed", -1, "train.seed: is -1, should be greater than or equal to 0"),
        ("replicates", 1, "replicates: unknown name"),
    ],
)
def test_a_wrong_value_is_named(workspace: Workspace, place: str, value: Any, problem: str) -> None:
    """The error names the file, the parameter, its value, and what would be correct."""
    *sections, name = place.split(".")
    section = workspace.params
    for parent in sections:
        section = section[parent]
    section[name] = value
    workspace.write()
    with pytest.raises(InputError) as error:
        load_config()
    assert str(error.value).startswith("params.yaml: ")
    assert problem in str(error.value)


@pytest.mark.fault
def test_leftovers_of_a_removed_run_are_named(workspace: Workspace) -> None:
    """Files of runs that are gone are listed with the command that deletes them."""
    workspace.put("costs", {"long.csv": b"", "old.csv": b"", ".DS_Store": b"", ".a.partial": b""})
    workspace.put("models/a run", {"weights.npz": b""})
    with pytest.raises(InputError) as error:
        load_config().check_leftovers(Path("models"), Path("costs"))
    files = "costs/old.csv 'models/a run/weights.npz'"
    assert str(error.value) == (
        f"{files}: left over from a run that is no longer in params.yaml; `rm {files}`, "
        "then run again"
    )
