"""The model applied to many examples."""

import numpy as np
import pytest
from common.inference import accuracy, probabilities

from common import inference
from common.model import logits
from tests.fixtures import make_features, make_weights

WEIGHTS = make_weights(seed=1)
FEATURES = make_features(9, np.random.default_rng(1))


def test_probabilities_are_the_softmax_of_each_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every chunk, also a shorter last one; large logits do not overflow."""
    monkeypatch.setattr(inference, "EXAMPLES_PER_CHUNK", 4)
    exponentials = np.exp(logits(WEIGHTS, FEATURES))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities(WEIGHTS, FEATURES), expected, 1e-9)
    large = {name: 1e3 * array for name, array in WEIGHTS.items()}
    np.testing.assert_allclose(probabilities(large, FEATURES).sum(axis=1), 1)


def test_accuracy_is_the_fraction_of_correct_predictions() -> None:
    labels = probabilities(WEIGHTS, FEATURES).argmax(axis=1)
    labels[:3] += 1
    assert accuracy(WEIGHTS, FEATURES, labels) == 6 / 9
