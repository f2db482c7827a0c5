"""The model in NumPy."""

import numpy as np
from scipy.signal import correlate2d

from common.model import Model, ModelParams, initial_weights, logits

PARAMS = ModelParams(filters=(1, 1), dense_units=2)


def _pool(image: np.ndarray) -> np.ndarray:
    return image.reshape(image.shape[0] // 2, 2, -1, 2).max(axis=(1, 3))


def test_logits_are_those_of_scipys_correlations() -> None:
    """Two convolutions, each with ReLU and pooling, then two dense layers."""
    random = np.random.default_rng(1)
    image = random.integers(256, size=(16, 16))
    weights = initial_weights(PARAMS, image.reshape(1, -1), 3, random)
    values = image / 255
    for name in ("convolution1", "convolution2"):
        values = _pool(np.maximum(correlate2d(values, weights[name][:, :, 0, 0], "valid"), 0))
    hidden = np.maximum(values.ravel() @ weights["dense1"], 0)
    actual = logits(weights, image.reshape(1, -1).astype(np.uint8))
    np.testing.assert_allclose(actual, [hidden @ weights["dense2"]], rtol=1e-5)
    assert Model(weights).architecture.endswith("then dense layers of 2 and 3 units")
