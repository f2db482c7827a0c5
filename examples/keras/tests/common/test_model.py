"""The model in Keras."""

from pathlib import Path

import numpy as np

from common.model import Model, image_shape
from tests.synthetic import make_features
from tests.untrained import save_untrained_model


def test_images_are_square_and_grey_unless_they_keep_their_shape() -> None:
    assert image_shape(np.zeros((5, 784))) == (28, 28, 1)
    assert image_shape(np.zeros((5, 20, 30, 3))) == (20, 30, 3)


def test_brightness_is_scaled_and_dropout_is_off(tmp_path: Path) -> None:
    """By hand for the first convolution: one pixel, in the middle of the kernel."""
    save_untrained_model(tmp_path, seed=1)
    model = Model.load(tmp_path)
    features = make_features(1, np.random.default_rng(1))
    np.testing.assert_array_equal(model.probabilities(features), model.probabilities(features))
    assert model.architecture.startswith("Conv2D 16, Conv2D 16, Conv2D 32, Conv2D 32, Dense 128")
