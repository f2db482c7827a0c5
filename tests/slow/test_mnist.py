"""The real pipeline on the real data, in a clone of its own."""

from __future__ import annotations

import numpy as np
import pytest

import common.model
from common.arrays import load_weights
from common.results import load_results
from common.splits import SPLITS, load_split
from stages.train.network import logits
from stages.train.reproducible import tf
from tests.fixtures import ROOT, Project, project_in

pytestmark = pytest.mark.slow


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
    """Both runs keep the tutorial's promise, and neither is too good to be true."""
    results = load_results(clone.path / "metrics/accuracy.json")
    assert (results["short"].iterations, results["long"].iterations) == (1000, 10000)
    assert 0.95 <= results["short"].test < 0.975
    assert 0.97 <= results["long"].test < 0.99
    clone.do("python", "-m", "commands.gate")


def test_results_are_the_committed_ones(clone: Project) -> None:
    """A new clone gives, byte for byte, what was committed from another machine."""
    assert clone.do("git", "status", "--porcelain") == ""
    assert "Running stage" not in clone.do("dvc", "repro")


def test_splits_are_those_of_the_tutorial(clone: Project) -> None:
    """55,000, 5,000 and 10,000 images of 784 pixels, with labels of all digits."""
    for name, images in zip(SPLITS, (55_000, 5_000, 10_000), strict=True):
        split = load_split(clone.path / f"data/flat/{name}.npz")
        assert split.features.shape == (images, 784)
        assert set(split.labels.tolist()) == set(range(10))


def test_the_short_run_is_the_beginning_of_the_long_one(clone: Project) -> None:
    """One row per iteration, from 0."""
    costs = {run: (clone.path / f"costs/{run}.csv").read_text() for run in ("short", "long")}
    assert costs["long"].startswith(costs["short"])
    assert costs["long"].splitlines()[-1].startswith("9999,")


def test_numpy_agrees_with_tensorflow_on_all_images(clone: Project) -> None:
    """What is evaluated and served is what was trained: the same logits of 70,000 images."""
    weights = load_weights(clone.path / "models/long/weights.npz")
    tensors = {name: tf.constant(array) for name, array in weights.items()}
    for name in SPLITS:
        features = load_split(clone.path / f"data/flat/{name}.npz").features
        expected = logits(tensors, tf.constant(features)).numpy()
        # float32 keeps seven digits of sums of 784 terms; logits go up to about 50.
        actual = common.model.logits(weights, features)
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-3)


def test_nothing_is_written_outside(clone: Project) -> None:
    """The user's home has only what pip may cache."""
    files = [path for path in clone.home.rglob("*") if path.is_file()]
    assert [path for path in files if ".cache/pip" not in path.as_posix()] == []
