"""The network's answer in NumPy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from common.model import IMAGES_PER_CHUNK, Weights, logits, probabilities


def _weights(*sizes: int) -> Weights:
    random = np.random.default_rng(0)
    weights = {}
    for layer, (inputs, units) in enumerate(pairwise(sizes), 1):
        weights[f"W{layer}"] = random.normal(size=(inputs, units)).astype(np.float32)
        weights[f"b{layer}"] = random.normal(size=units).astype(np.float32)
    return weights


def test_logits_by_hand() -> None:
    """Pixels are divided by 255, the hidden layer is cut off at zero, the last is not."""
    weights = {
        "W1": np.array([[1, -1], [2, -2]], np.float32),
        "b1": np.array([0.5, 0.5], np.float32),
        "W2": np.array([[1, -1], [10, 10]], np.float32),
        "b2": np.array([0, -4], np.float32),
    }
    # Hidden: 1 + 0.5 and max(0, -1 + 0.5); then 2.5 and 0.
    images = np.array([[255, 0], [0, 255]], np.uint8)
    np.testing.assert_allclose([[1.5, -5.5], [2.5, -6.5]], logits(weights, images))


@pytest.mark.parametrize("images", [0, 1, IMAGES_PER_CHUNK - 1, IMAGES_PER_CHUNK, 4097, 8193])
def test_an_answer_does_not_depend_on_the_others(images: int) -> None:
    """However many images there are, each is answered as if it were alone."""
    weights = _weights(6, 5, 3)
    given = np.random.default_rng(1).integers(0, 256, (images, 6)).astype(np.uint8)
    scores = logits(weights, given)
    assert ((images, 3), np.float64) == (scores.shape, scores.dtype)
    for image in {0, images // 2, images - 1} if images else set():
        alone = logits(weights, given[image : image + 1])[0]
        np.testing.assert_allclose(alone, scores[image], rtol=1e-12)


@pytest.mark.parametrize("sizes", [(4, 3), (4, 8, 3), (4, 8, 7, 6, 3)])
def test_any_number_of_layers(sizes: tuple[int, ...]) -> None:
    """The result agrees with the layers written out one by one."""
    weights = _weights(*sizes)
    images = np.random.default_rng(1).integers(0, 256, (5, 4)).astype(np.uint8)
    values = images.astype(np.float64) / 255
    for layer in range(1, len(sizes)):
        values = values @ weights[f"W{layer}"] + weights[f"b{layer}"]
        values = values if layer == len(sizes) - 1 else values.clip(min=0)
    np.testing.assert_allclose(values, logits(weights, images), rtol=1e-12)


def test_probabilities() -> None:
    """Softmax: they sum to 1, a shift changes nothing, and large scores do not overflow."""
    scores = np.array([[0, np.log(3)], [1000, 1000 + np.log(3)], [-1e5, 1e5]])
    np.testing.assert_allclose([[0.25, 0.75], [0.25, 0.75], [0, 1]], probabilities(scores))
