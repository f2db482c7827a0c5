"""The model applied to many examples."""

from __future__ import annotations

import numpy as np
import pytest

from common.inference import EXAMPLES_PER_CHUNK, accuracy, probabilities
from common.model import ModelParams, initial_weights

RANDOM = np.random.default_rng(1)
WEIGHTS = initial_weights(ModelParams(hidden_units=(5,)), np.zeros((1, 6)), 3, RANDOM)
# A network of one layer that predicts the brighter of two pixels.
BRIGHTER = {"W1": np.eye(2, dtype=np.float32), "b1": np.zeros(2, np.float32)}


@pytest.mark.parametrize("count", [1, EXAMPLES_PER_CHUNK - 1, EXAMPLES_PER_CHUNK, 8193])
def test_a_prediction_does_not_depend_on_the_others(count: int) -> None:
    """However many examples there are, each is classified as if there were only one."""
    features = RANDOM.integers(0, 256, (count, 6)).astype(np.uint8)
    together = probabilities(WEIGHTS, features)
    assert together.shape == (count, 3)
    for row in {0, count // 2, count - 1}:
        (alone,) = probabilities(WEIGHTS, features[row : row + 1])
        np.testing.assert_allclose(together[row], alone, rtol=1e-12)


def test_probabilities_are_the_softmax() -> None:
    """They sum to 1, and large logits do not overflow."""
    model = BRIGHTER | {"W1": np.array([[np.log(3), 0], [0, 1e4]], np.float32)}
    actual = probabilities(model, np.array([[255, 0], [0, 255]], np.uint8))
    np.testing.assert_allclose(actual, [[0.75, 0.25], [0.0, 1.0]], rtol=1e-6)


def test_accuracy_is_the_fraction_of_correct_predictions() -> None:
    """Counted first, divided once."""
    features = np.array([[9, 0], [9, 0], [0, 9]], np.uint8)
    assert accuracy(BRIGHTER, features, np.array([0, 1, 1], np.uint8)) == 2 / 3
