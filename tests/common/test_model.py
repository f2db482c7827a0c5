"""The model in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from common.model import ModelParams, Weights, architecture, initial_weights, logits


def weights(*hidden_units: int) -> Weights:
    """Return the first weights of a network for 4 pixels and 3 classes, with other biases."""
    random = np.random.default_rng(0)
    values = initial_weights(ModelParams(hidden_units=hidden_units), images(1), 3, random)
    return {
        name: array if array.any() else random.normal(size=array.shape).astype(np.float32)
        for name, array in values.items()
    }


def images(count: int) -> NDArray[np.uint8]:
    """Return some images of 4 pixels."""
    return np.random.default_rng(1).integers(0, 256, (count, 4)).astype(np.uint8)


def test_logits_by_hand() -> None:
    """Pixels are divided by 255, the hidden layer is cut off at zero, the last is not."""
    model = {
        "W1": np.array([[1, -1], [2, -2]], np.float32),
        "b1": np.array([0.5, 0.5], np.float32),
        "W2": np.array([[1, -1], [10, 10]], np.float32),
        "b2": np.array([0, -4], np.float32),
    }
    # Hidden: 1 + 0.5 and max(0, -1 + 0.5); then 2.5 and 0.
    actual = logits(model, np.array([[255, 0], [0, 255]], np.uint8))
    np.testing.assert_allclose(actual, [[1.5, -5.5], [2.5, -6.5]])


@pytest.mark.parametrize("hidden_units", [(), (8,), (8, 7, 6)])
def test_any_number_of_layers(hidden_units: tuple[int, ...]) -> None:
    """The logits agree with the layers written out one by one."""
    model = weights(*hidden_units)
    values = images(5).astype(np.float64) / 255
    for layer in range(1, len(hidden_units) + 2):
        values = values @ model[f"W{layer}"] + model[f"b{layer}"]
        values = values if layer == len(hidden_units) + 1 else values.clip(min=0)
    np.testing.assert_allclose(logits(model, images(5)), values, rtol=1e-12)


def test_first_weights_are_xaviers() -> None:
    """They fill their interval evenly, with the variance that it has; biases are zero."""
    params = ModelParams(hidden_units=(128,))
    model = initial_weights(params, np.zeros((1, 784)), 10, np.random.default_rng(5))
    assert list(model) == ["W1", "b1", "W2", "b2"]
    assert {array.dtype for array in model.values()} == {np.dtype(np.float32)}
    limit = np.sqrt(6 / (784 + 128))
    assert 0.999 * limit < np.abs(model["W1"]).max() <= limit
    assert model["W1"].var() == pytest.approx(2 / (784 + 128), rel=0.01)
    assert not model["b1"].any()


def test_architecture() -> None:
    """One phrase with the width of each layer."""
    assert architecture(weights(8, 7)) == "4-8-7-3, fully connected, ReLU between the layers"
