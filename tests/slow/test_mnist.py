"""The real pipeline on the real data, in a clone of its own."""

import numpy as np
import pytest

import common.model
from common.arrays import load_weights
from common.results import load_results
from common.splits import SPLITS, load_split
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


def test_a_new_clone_gives_the_committed_results(clone: Project) -> None:
    """Byte for byte, and nothing is written outside; both runs keep the tutorial's promise."""
    assert clone.do("git", "status", "--porcelain") == ""
    assert "short: test accuracy" in clone.do("python", "-m", "commands.gate")
    results = load_results(clone.path / "metrics/accuracy.json")
    assert (results["short"].iterations, results["long"].iterations) == (1000, 10000)
    assert 0.95 <= results["short"].test < 0.975
    assert 0.97 <= results["long"].test < 0.99
    files = [path for path in clone.home.rglob("*") if path.is_file()]
    assert [path for path in files if ".cache/pip" not in path.as_posix()] == []


def test_numpy_agrees_with_tensorflow_on_all_images(clone: Project) -> None:
    """What is evaluated and served is what was trained: the same logits of 70,000 images."""
    from stages.train.network import logits
    from stages.train.reproducible import tf

    weights = load_weights(clone.path / "models/long/weights.npz")
    tensors = {name: tf.constant(array) for name, array in weights.items()}
    for name, images in zip(SPLITS, (55_000, 5_000, 10_000), strict=True):
        features = load_split(clone.path / f"data/flat/{name}.npz").features
        assert features.shape == (images, 784)
        expected = logits(tensors, tf.constant(features)).numpy()
        # float32 keeps seven digits of sums of 784 terms; logits go up to about 50.
        actual = common.model.logits(weights, features)
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-3)
