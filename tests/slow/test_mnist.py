"""The real pipeline on the real data, in a clone of its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures import ROOT, Project, project_in

from common import arrays
from common import model as inference
from stages.train.network import logits, tf


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Clone the last commit into a path with a space, and run all of it."""
    project = project_in(tmp_path_factory.mktemp("a new"))
    project.path.mkdir()
    project.do("git", "clone", "--quiet", str(ROOT), ".")
    project.set_up()
    project.do("dvc", "repro")
    return project


def test_thresholds_are_met(clone: Project) -> None:
    """Both runs reach the tutorial's promise, and neither is too good to be true."""
    results = json.loads((clone.path / "metrics/accuracy.json").read_text())
    assert (results["short"]["iterations"], results["long"]["iterations"]) == (1000, 10000)
    assert 0.95 <= results["short"]["test"] < 0.975
    assert 0.97 <= results["long"]["test"] < 0.99
    assert results["short"]["test"] < results["long"]["test"]
    clone.do("python", "-m", "commands.gate")


def test_arrays_have_their_shapes(clone: Project) -> None:
    """55,000, 5,000 and 10,000 images of 784 pixels, and the digits of the labels."""
    for part, images in (("train", 55_000), ("validation", 5_000), ("test", 10_000)):
        examples = arrays.load_split(clone.path / f"data/flat/{part}.npz")
        assert (images, 784) == examples.images.shape
        assert set(range(10)) == set(examples.labels.tolist())


@pytest.mark.parametrize(("run", "iterations"), [("short", 1_000), ("long", 10_000)])
def test_every_iteration_has_its_cost(clone: Project, run: str, iterations: int) -> None:
    """A row an iteration, from 0 on; the short run is the beginning of the long one."""
    rows = (clone.path / f"costs/{run}.csv").read_text().splitlines()
    assert rows[0] == "iteration,cost"
    assert [str(number) for number in range(iterations)] == [row.split(",")[0] for row in rows[1:]]
    assert rows[1:1001] == (clone.path / "costs/short.csv").read_text().splitlines()[1:]


def test_results_are_the_committed_ones(clone: Project) -> None:
    """A new clone on this machine gives, byte for byte, what was committed from another."""
    assert clone.do("git", "status", "--porcelain") == ""


def test_second_run_does_nothing(clone: Project) -> None:
    """DVC finds nothing to do."""
    printed = clone.do("dvc", "repro")
    assert "Running stage" not in printed
    assert "up to date" in printed


def test_forced_run_changes_nothing(clone: Project) -> None:
    """The same bytes come out again, in another locale and time zone."""
    outcome = clone.run("dvc", "repro", "--force", LC_ALL="C", TZ="Pacific/Auckland")
    assert outcome.status == 0, outcome.err
    assert clone.do("git", "status", "--porcelain") == ""


def test_numpy_agrees_with_tensorflow_on_all_images(clone: Project) -> None:
    """What is evaluated and served is what was trained: the same logits on 70,000 images."""
    weights = arrays.load_weights(clone.path / "models/long/weights.npz")
    tensors = [tf.constant(array) for array in weights.values()]
    for part in arrays.SPLITS:
        examples = arrays.load_split(clone.path / f"data/flat/{part}.npz")
        expected = logits(tensors, tf.constant(examples.images)).numpy()
        given = inference.logits(weights, examples.images)
        # float32 keeps seven digits of sums of 784 terms; logits go up to about 50.
        np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-3)


def test_experiment_is_compared(clone: Project) -> None:
    """An experiment with another setting stands in DVC's table beside the committed one."""
    clone.do("dvc", "exp", "run", "--name", "faster", "-S", "train.learning_rate=0.01")
    table = clone.do("dvc", "exp", "show", "--csv")
    assert "faster" in table
    assert "0.01" in table
    clone.do("git", "checkout", "--quiet", ".")
    clone.do("dvc", "checkout", "--quiet")


def test_moved_elsewhere_it_writes_nothing_outside(clone: Project) -> None:
    """The user's home holds nothing afterwards; the temporary folder does, AutoGraph's code."""
    assert [path for path in _files(clone.home) if ".cache/pip" not in path.as_posix()] == []


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
