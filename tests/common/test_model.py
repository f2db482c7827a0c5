"""The model in NumPy."""

import numpy as np
import pytest

from common import model
from common.config import load_config
from common.model import Model, ModelParams, initial_weights, logits
from support.command_line import InputError
from tests.synthetic import make_features
from tests.untrained import make_weights
from tests.workspace import Workspace


def test_logits_by_hand() -> None:
    """Pixels are divided by 255, the hidden layer is cut off at zero, the last is not."""
    weights = {
        "W1": np.array([[1, -1], [2, -2]], np.float32),
        "b1": np.array([0.5, 0.5], np.float32),
        "W2": np.array([[1, -1], [10, 10]], np.float32),
        "b2": np.array([0, -4], np.float32),
    }
    # Hidden: 1 + 0.5 and max(0, -1 + 0.5); then 2.5 and 0.
    actual = logits(weights, np.array([[255, 0], [0, 255]], np.uint8))
    np.testing.assert_allclose(actual, [[1.5, -5.5], [2.5, -6.5]])


@pytest.mark.parametrize("name", ["beta_1", "beta_2"])
def test_adams_decay_rates_are_below_one(workspace: Workspace, name: str) -> None:
    """Zero is allowed: Adam then has no memory."""
    for value in (0, 0.999999):
        workspace.set(f"train.{name}", value)
        assert getattr(load_config().train, name) == value
    workspace.set(f"train.{name}", 1)
    with pytest.raises(InputError, match=f"train.{name}: Input should be less than 1, is 1$"):
        load_config()


@pytest.mark.parametrize("name", ["learning_rate", "epsilon", "checkpoint_every_seconds"])
def test_a_number_that_is_too_large_is_not_infinite(workspace: Workspace, name: str) -> None:
    workspace.set(f"train.{name}", 12345.5)
    path = workspace.path / "params.yaml"
    path.write_text(path.read_text("utf-8").replace("12345.5", "1e999"), "utf-8")
    with pytest.raises(InputError, match=f"train.{name}: Input should be a finite number, is inf$"):
        load_config()


def test_first_weights_are_xaviers() -> None:
    """They fill their interval evenly, with the variance that it has; biases are zero."""
    params = ModelParams(hidden_units=(128,))
    weights = initial_weights(params, np.zeros((1, 784)), 10, np.random.default_rng(5))
    assert list(weights) == ["W1", "b1", "W2", "b2"]
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float32)}
    limit = np.sqrt(6 / (784 + 128))
    assert 0.999 * limit < np.abs(weights["W1"]).max() <= limit
    assert weights["W1"].var() == pytest.approx(2 / (784 + 128), rel=0.01)
    assert not weights["b1"].any()
    assert Model(weights).architecture == "784-128-10, fully connected, ReLU between the layers"


def test_probabilities_are_the_softmax_of_each_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every chunk, also a shorter last one; large logits do not overflow."""
    weights, features = make_weights(seed=1), make_features(9, np.random.default_rng(1))
    monkeypatch.setattr(model, "CHUNK_BYTES", 4 * 8 * features[0].size)
    exponentials = np.exp(logits(weights, features))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Model(weights).probabilities(features), expected, 1e-9)
    large = Model({name: 1e3 * array for name, array in weights.items()})
    np.testing.assert_allclose(large.probabilities(features).sum(axis=1), 1)
