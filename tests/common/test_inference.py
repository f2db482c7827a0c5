"""The model applied to many examples."""

import numpy as np
import pytest

from common import inference
from common.inference import accuracy, probabilities
from common.model import logits
from tests.fixtures import DESCRIPTION, make_features, make_weights

WEIGHTS = make_weights(seed=1)
FEATURES = make_features(9, np.random.default_rng(1))


@pytest.mark.parametrize("count", [1, 3, 4, 5, 9])
def test_a_prediction_does_not_depend_on_the_others(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many examples there are, each is classified as if there were only one."""
    monkeypatch.setattr(inference, "EXAMPLES_PER_CHUNK", 4)
    together = probabilities(WEIGHTS, FEATURES[:count])
    assert together.shape == (count, len(DESCRIPTION.classes))
    for row in range(count):
        (alone,) = probabilities(WEIGHTS, FEATURES[row : row + 1])
        np.testing.assert_allclose(together[row], alone, rtol=1e-12)


def test_probabilities_are_the_softmax_and_do_not_overflow() -> None:
    exponentials = np.exp(logits(WEIGHTS, FEATURES))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities(WEIGHTS, FEATURES), expected, rtol=1e-9)
    large = {name: 1e3 * array for name, array in WEIGHTS.items()}
    np.testing.assert_allclose(probabilities(large, FEATURES).sum(axis=1), 1)


def test_accuracy_is_the_fraction_of_correct_predictions() -> None:
    labels = probabilities(WEIGHTS, FEATURES).argmax(axis=1)
    labels[:3] += 1
    assert accuracy(WEIGHTS, FEATURES, labels) == 6 / 9
