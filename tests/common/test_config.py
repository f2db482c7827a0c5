"""The settings of all stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.command_line import InputError
from common.config import load_config
from tests.fixtures import ITERATIONS, ROOT, Workspace


def test_the_repositorys_settings_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """params.yaml and datasets.yaml as they are in git."""
    monkeypatch.chdir(ROOT)
    assert len(load_config().dataset.classes) == 10


def test_settings_are_read_as_they_are_written(workspace: Workspace) -> None:
    """Nothing can change them later; an unknown run or dataset is reported with those there are."""
    config = load_config()
    assert {name: run.iterations for name, run in config.runs.items()} == ITERATIONS
    assert (config.longest_run, config.train.epsilon) == ("long", 1e-8)
    with pytest.raises(ValueError, match="frozen"):
        config.train.seed = 2
    with pytest.raises(
        InputError, match=r"params\.yaml: runs: no run 'lang', there are: short, lo"
    ):
        config.run("lang")
    workspace.params["dataset"] = "mnits"
    workspace.write()
    with pytest.raises(InputError, match=r"'mnits' is not in datasets\.yaml: synthetic"):
        load_config()


@pytest.mark.fault
def test_leftovers_of_a_removed_run_are_named(workspace: Workspace) -> None:
    """Files of runs that are gone are listed with the command that deletes them."""
    workspace.put("costs", {"long.csv": b"", "old.csv": b"", ".DS_Store": b"", ".a.partial": b""})
    workspace.put("models/a run", {"weights.npz": b""})
    files = "costs/old.csv 'models/a run/weights.npz'"
    with pytest.raises(InputError) as error:
        load_config().check_leftovers(Path("models"), Path("costs"))
    assert str(error.value).startswith(f"{files}: left over from a run ")
    assert f"`rm {files}`" in str(error.value)
