"""The model in Keras."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from common.model import Model, ModelParams, build, image_shape
from tests.untrained import save_untrained_model

PARAMS = ModelParams(filters=(2,), dense_units=3, dropout=0.5)


def test_images_are_square_and_grey_unless_they_keep_their_shape() -> None:
    assert image_shape(np.zeros((5, 784))) == (28, 28, 1)
    assert image_shape(np.zeros((5, 20, 30, 3))) == (20, 30, 3)


@pytest.mark.parametrize("shape", [(64,), (8, 9, 3)])
def test_probabilities_are_the_softmax_of_the_scaled_image(shape: tuple[int, ...]) -> None:
    """Without dropout, also for more examples than fit into one chunk."""
    features = np.random.default_rng(1).integers(256, size=(501, *shape)).astype(np.uint8)
    network = build(PARAMS, features, 4)
    weights = {str(row): array for row, array in enumerate(network.get_weights())}
    scaled = network.layers[0](features) / 255
    for layer in network.layers[2:]:
        scaled = (
            layer(scaled, training=False) if layer.name.startswith("dropout") else layer(scaled)
        )
    actual = Model(network.to_json(), weights).probabilities(features)
    np.testing.assert_allclose(actual, softmax(scaled.numpy(), axis=1), rtol=1e-3)
    np.testing.assert_allclose(actual.sum(axis=1), 1)


def test_the_same_model_has_the_same_bytes(tmp_path: Path) -> None:
    """Whatever Keras built before; its architecture is read without TensorFlow."""
    for name in ("first", "second"):
        save_untrained_model(tmp_path / name, seed=1)
    for file in ("network.json", "weights.npz"):
        contents = [(tmp_path / name / file).read_bytes() for name in ("first", "second")]
        assert contents[0] == contents[1]
    expected = "Conv2D 16, Conv2D 16, Conv2D 32, Conv2D 32, Dense 128, Dense 4, with ReLU and max"
    assert Model.load(tmp_path / "first").architecture.startswith(expected)
