"""Finished runs, loaded from files."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.arrays import load_arrays
from common.model import architecture
from stages.track.runs import TrackedRun, load_runs, window_means
from support.command_line import InputError
from support.yaml_file import read_yaml
from tests.synthetic import DESCRIPTION
from tests.workspace import ITERATIONS, synthetic_params, write_fake_results, write_yaml

MODEL = "models/long/weights.npz"


def load(path: Path) -> dict[str, TrackedRun]:
    """Load the runs of a folder, by their names."""
    return {run.name: run for run in load_runs(path)}


def test_every_run_is_loaded_as_it_is_in_the_files(tmp_path: Path) -> None:
    """Settings, data, result, recall, costs and architecture."""
    write_fake_results(tmp_path)
    runs = load(tmp_path)
    assert list(runs) == list(ITERATIONS)
    run, params = runs["long"], synthetic_params()
    assert run.dataset == "synthetic"
    assert run.params == {
        "dataset": "synthetic",
        "flatten.validation_examples": params["flatten"]["validation_examples"],
        **{f"model.{name}": value for name, value in params["model"].items()},
        "train.seed": 1,
        "iterations": ITERATIONS["long"],
    }
    written = np.loadtxt(tmp_path / "costs/long.csv", delimiter=",", skiprows=1)[:, 1]
    assert run.costs.tolist() == written.astype(np.float32).tolist()
    assert run.architecture == architecture(load_arrays(tmp_path / MODEL))
    # The last class has no examples and so no recall.
    labels = range(len(DESCRIPTION.classes) - 1)
    assert run.recall == {str(label): 1 - label / 10 for label in labels}
    assert list(run.data) == ["train", "validation", "test"]
    content = (tmp_path / "data/flat/test.npz").read_bytes()
    assert run.data["test"] == hashlib.md5(content, usedforsecurity=False).hexdigest()


CHANGES = [{"seed": 2}, {"accuracy": {"long": (0.5, 0.5)}}, {"iterations": {"long": 201}}]


@pytest.mark.parametrize("change", CHANGES)
def test_another_result_has_another_fingerprint(tmp_path: Path, change: dict[str, Any]) -> None:
    write_fake_results(tmp_path)
    before = load(tmp_path)
    assert before["short"].fingerprint != before["long"].fingerprint
    write_fake_results(tmp_path, **change)
    assert load(tmp_path)["long"].fingerprint != before["long"].fingerprint


@pytest.mark.parametrize(
    "name", ["metrics/accuracy.json", "metrics/per_class.csv", "costs/long.csv", MODEL]
)
def test_a_file_must_be_the_one_in_dvc_lock(tmp_path: Path, name: str) -> None:
    write_fake_results(tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b"\n")
    with pytest.raises(InputError, match=f"{name}: not the file whose MD5.*dvc repro"):
        load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"{name}: not found.*dvc repro"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff", b"stages", b"a: [", b"stages: {a: 1}"])
def test_a_damaged_lock_is_one_line(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"dvc\.lock: not found; `dvc repro` makes it"):
        load(tmp_path)
    (tmp_path / "dvc.lock").write_bytes(content)
    with pytest.raises(InputError, match=r"dvc\.lock: "):
        load(tmp_path)


@pytest.mark.parametrize("params", [{}, {"train": 3}])
def test_a_result_of_another_version_is_one_line(tmp_path: Path, params: dict[str, int]) -> None:
    """The settings of an old commit may be other ones."""
    write_fake_results(tmp_path)
    lock = read_yaml(tmp_path / "dvc.lock")
    lock["stages"]["flatten"]["params"] = {"params.yaml": params}
    write_yaml(tmp_path / "dvc.lock", lock)
    with pytest.raises(InputError, match=r"^dvc\.lock: short belongs to another version"):
        load(tmp_path)


def test_window_means_keep_the_mean_and_the_end() -> None:
    costs = np.random.default_rng(0).random(1000).astype(np.float32)
    ends, means = zip(*window_means(costs, 320), strict=True)
    assert ends == tuple(range(3, 1000, 4))
    np.testing.assert_allclose(means, costs.reshape(-1, 4).mean(axis=1), rtol=1e-6)
