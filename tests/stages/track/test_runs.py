"""Finished runs, loaded from files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from common.command_line import InputError
from common.results import load_results, save_results
from stages.track.runs import TrackedRun, load_runs, window_means
from tests.fake_results import WIDTHS, write_fake_results
from tests.synthetic import CLASSES, ITERATIONS, VALIDATION_IMAGES

MODEL = "models/long/weights.npz"


def load(path: Path) -> dict[str, TrackedRun]:
    """Load the runs of a folder, by their names."""
    return {run.name: run for run in load_runs(path)}


def edit_lock(path: Path, change: Callable[[Any], None]) -> None:
    """Change what dvc.lock says about the stages."""
    document = yaml.safe_load((path / "dvc.lock").read_text())
    change(document["stages"])
    (path / "dvc.lock").write_text(yaml.safe_dump(document))


def test_every_run_is_loaded_as_it_is_in_the_files(tmp_path: Path) -> None:
    """Settings, data, result, recall, costs and architecture."""
    write_fake_results(tmp_path)
    runs = load(tmp_path)
    assert list(runs) == list(ITERATIONS)
    run = runs["long"]
    assert run.dataset == "synthetic"
    assert run.params == {
        "dataset": "synthetic",
        "flatten.validation_examples": VALIDATION_IMAGES,
        "model.hidden_units": [8],
        "train.learning_rate": 0.001,
        "train.seed": 1,
        "iterations": ITERATIONS["long"],
    }
    written = np.loadtxt(tmp_path / "costs/long.csv", delimiter=",", skiprows=1)[:, 1]
    assert run.costs.tolist() == written.astype(np.float32).tolist()
    assert run.architecture.startswith("-".join(map(str, WIDTHS)))
    # The last class has no examples and so no recall.
    assert run.recall == {str(label): 1 - label / 10 for label in range(CLASSES - 1)}
    assert list(run.data) == ["train", "validation", "test"]
    content = (tmp_path / "data/flat/test.npz").read_bytes()
    assert run.data["test"] == hashlib.md5(content, usedforsecurity=False).hexdigest()


CHANGES: dict[str, Callable[[Path], None]] = {
    "weights, costs and a parameter": lambda path: write_fake_results(path, seed=2),
    "the data": lambda path: write_fake_results(path, data="other"),
    "an accuracy": lambda path: write_fake_results(path, accuracy={"long": (0.5, 0.5)}),
    "the iterations": lambda path: write_fake_results(path, iterations={"long": 121}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_result_has_another_fingerprint(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """Whatever it was made from."""
    write_fake_results(tmp_path)
    before = load(tmp_path)
    assert before["short"].fingerprint != before["long"].fingerprint
    change(tmp_path)
    assert load(tmp_path)["long"].fingerprint != before["long"].fingerprint


@pytest.mark.parametrize("threshold", [0.1, 0.99])
def test_a_threshold_is_not_part_of_the_fingerprint(tmp_path: Path, threshold: float) -> None:
    """It says nothing about the result."""
    write_fake_results(tmp_path)
    before = load(tmp_path)["long"].fingerprint
    change_threshold(tmp_path, threshold)
    assert load(tmp_path)["long"].fingerprint == before
    assert load(tmp_path)["long"].result.min_test_accuracy == threshold


def change_threshold(path: Path, threshold: float) -> None:
    """Do what `dvc repro` does after an edit of params.yaml: only `evaluate` runs again."""
    file = path / "metrics/accuracy.json"
    results = load_results(file)
    for name, result in results.items():
        results[name] = result.model_copy(update={"min_test_accuracy": threshold})
    save_results(file, results)
    md5 = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    edit_lock(path, lambda stages: stages["evaluate"]["outs"][0].update(md5=md5))


@pytest.mark.parametrize(
    "name", ["metrics/accuracy.json", "metrics/per_class.csv", "costs/long.csv", MODEL]
)
def test_a_file_must_be_the_one_in_dvc_lock(tmp_path: Path, name: str) -> None:
    """A changed or missing file is named, with what to do."""
    write_fake_results(tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b"\n")
    with pytest.raises(InputError, match=f"{name}: not the file whose MD5.*dvc repro"):
        load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"{name}: not found.*dvc repro"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff", b"stages", b"a: [", b"stages: {a: 1}"])
def test_a_damaged_lock_is_one_line(tmp_path: Path, content: bytes) -> None:
    """Whatever is in it."""
    write_fake_results(tmp_path)
    (tmp_path / "dvc.lock").write_bytes(content)
    with pytest.raises(InputError, match=r"dvc\.lock: "):
        load(tmp_path)


@pytest.mark.parametrize("params", [{}, {"train": 3}])
def test_a_result_of_another_version_is_one_line(tmp_path: Path, params: dict[str, int]) -> None:
    """The settings of an old commit may be other ones."""
    write_fake_results(tmp_path)
    edit_lock(tmp_path, lambda stages: stages["flatten"].update(params={"params.yaml": params}))
    with pytest.raises(InputError, match=r"^dvc\.lock: short belongs to another version"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("costs", "windows"), [(1, 1), (319, 319), (320, 320), (321, 161), (1000, 250), (10_000, 313)]
)
def test_window_means_keep_the_mean_and_the_end(costs: int, windows: int) -> None:
    """There are at most as many as asked for."""
    values = np.random.default_rng(0).random(costs).astype(np.float32)
    means = list(window_means(values, 320))
    assert len(means) == windows
    ends = [-1, *(end for end, _ in means)]
    assert ends[-1] == costs - 1
    total = sum(mean * (end - before) for before, (end, mean) in zip(ends, means, strict=False))
    assert total == pytest.approx(float(values.sum(dtype=np.float64)), rel=1e-12)
