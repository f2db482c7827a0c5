"""The model in NumPy."""

import numpy as np

from common.model import Model, ModelParams, initial_weights, logits

FEATURES = np.array([[1, 2000], [3, 6000], [np.nan, 4000]], np.float32)


def test_features_are_standardised_first() -> None:
    """By mean and standard deviation of the training split; a missing number becomes the mean."""
    params = ModelParams(hidden_units=(1,))
    weights = dict(initial_weights(params, FEATURES[:2], 2, np.random.default_rng(1)))
    np.testing.assert_array_equal(weights["mean"], [2, 4000])
    np.testing.assert_array_equal(weights["std"], [1, 2000])
    weights |= {"W1": np.array([[2], [1]], np.float32), "b1": np.array([1], np.float32)}
    weights |= {"W2": np.array([[1, -1]], np.float32), "b2": np.array([0, 5], np.float32)}
    # The hidden unit: max(0, -2 - 1 + 1), 2 + 1 + 1, and 0 + 0 + 1.
    np.testing.assert_allclose(logits(weights, FEATURES), [[0, 5], [4, 1], [1, 4]])
    expected = "2-1-2, fully connected, ReLU between the layers"
    assert Model(weights).architecture == expected
