"""Finished runs, loaded from files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.track.runs import TrackedRun, load_runs
from support.command_line import InputError
from support.yaml_file import read_yaml
from tests.workspace import ITERATIONS, synthetic_params, write_fake_results, write_yaml


def load(path: Path) -> dict[str, TrackedRun]:
    """Load the runs of a folder, by their names."""
    return {run.name: run for run in load_runs(path)}


def test_every_run_is_loaded_as_it_is_in_the_files(tmp_path: Path) -> None:
    """Settings, checksums, recall and costs."""
    write_fake_results(tmp_path)
    runs = load(tmp_path)
    assert list(runs) == list(ITERATIONS)
    run, params = runs["long"], synthetic_params()
    assert run.params == {
        "dataset": "synthetic",
        "flatten.validation_examples": params["flatten"]["validation_examples"],
        **{f"model.{name}": value for name, value in params["model"].items()},
        "train.seed": 1,
        "iterations": ITERATIONS["long"],
    }
    assert list(run.md5) == ["data/flat", "models/long", "costs/long.csv"]
    # The last class has no examples and so no recall.
    assert run.load_recall() == {"a": 1.0, "b": 0.995, "c": 0.99}
    written = np.loadtxt(tmp_path / "costs/long.csv", delimiter=",", skiprows=1)[:, 1]
    assert run.load_costs().tolist() == written.astype(np.float32).tolist()
    assert run.load_curves() == [(200, "validation accuracy", 0.995)]
    assert run.summary == "200 iterations, test 99.00%"
    expected = {"model": "models/long", "description": "data/flat/description.json"}
    assert {name: run.served[name] for name in expected} == {
        name: tmp_path / place for name, place in expected.items()
    }
    assert set(run.served) == {*expected, "code", "columns"}
    assert all(path.exists() for path in run.served.values())


CHANGES = [{"seed": 2}, {"accuracy": {"long": (0.5, 0.5)}}, {"iterations": {"long": 201}}]


@pytest.mark.parametrize("change", CHANGES)
def test_another_result_has_another_fingerprint(tmp_path: Path, change: dict[str, Any]) -> None:
    """A changed threshold is no other result."""
    write_fake_results(tmp_path)
    before = load(tmp_path)
    assert before["short"].fingerprint != before["long"].fingerprint
    write_fake_results(tmp_path, threshold=0.9)
    assert load(tmp_path)["long"].fingerprint == before["long"].fingerprint
    write_fake_results(tmp_path, **change)
    assert load(tmp_path)["long"].fingerprint != before["long"].fingerprint


@pytest.mark.parametrize("path", ["data/flat", "models/long", "costs/long.csv"])
def test_the_same_result_of_other_files_has_another_fingerprint(tmp_path: Path, path: str) -> None:
    write_fake_results(tmp_path)
    before = load(tmp_path)
    lock = read_yaml(tmp_path / "dvc.lock")
    (out,) = (
        out
        for stage in lock["stages"].values()
        for out in stage.get("outs", [])
        if out["path"] == path
    )
    out["md5"] = "0"
    write_yaml(tmp_path / "dvc.lock", lock)
    assert load(tmp_path)["long"].fingerprint != before["long"].fingerprint


def test_a_result_of_another_version_is_one_line(tmp_path: Path) -> None:
    """An old commit may have other outputs."""
    write_fake_results(tmp_path)
    lock = read_yaml(tmp_path / "dvc.lock")
    lock["stages"]["flatten"]["outs"] = [{"path": "data/flat/test.npz", "md5": "0"}]
    write_yaml(tmp_path / "dvc.lock", lock)
    with pytest.raises(InputError, match=r"^dvc\.lock: short belongs to another version"):
        load(tmp_path)
