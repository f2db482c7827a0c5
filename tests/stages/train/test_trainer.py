"""The training, compared with NumPy and with itself."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

import common.model
from common.config import TrainParams
from common.inference import probabilities
from common.model import ModelParams, Weights, initial_weights
from common.splits import Split
from stages.train.batches import batches
from stages.train.network import logits
from stages.train.reproducible import tf
from stages.train.trainer import Trainer, cost

PIXELS, CLASSES = 30, 4
MODEL = ModelParams(hidden_units=(12, 7))
PARAMS = TrainParams(
    batch_size=16,
    learning_rate=0.001,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-8,
    seed=3,
    log_every_iterations=100,
)
Arrays = Mapping[str, NDArray[np.float64]]


@pytest.fixture(scope="module")
def examples() -> Split:
    """Return 500 images of a bright bar whose place is the label, in noise."""
    random = np.random.default_rng(0)
    labels = random.integers(CLASSES, size=500).astype(np.uint8)
    images = random.integers(90, size=(500, PIXELS)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[label * 7 : label * 7 + 5] += 120
    return Split(images, labels)


@pytest.fixture(scope="module")
def trainer(examples: Split) -> Trainer:
    """Return a trainer whose program is compiled once for all tests that reset it."""
    return Trainer(MODEL, PARAMS, examples, CLASSES)


def train(trainer: Trainer, iterations: int) -> NDArray[np.float32]:
    """Train, and return all costs."""
    return np.concatenate(list(trainer.train(iterations)))


def numpy_gradients(
    weights: Arrays, images: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> Arrays:
    """Compute the gradients of a ReLU network by the chain rule, in float64."""
    layers = len(weights) // 2
    values = [images / 255.0]
    for layer in range(1, layers + 1):
        sums = values[-1] @ weights[f"W{layer}"] + weights[f"b{layer}"]
        values.append(np.maximum(sums, 0) if layer < layers else sums)
    upstream = np.exp(values[-1]) / np.exp(values[-1]).sum(axis=1, keepdims=True)
    upstream[np.arange(len(labels)), labels] -= 1
    upstream /= len(labels)
    gradients = {}
    for layer in range(layers, 0, -1):
        gradients[f"W{layer}"] = values[layer - 1].T @ upstream
        gradients[f"b{layer}"] = upstream.sum(axis=0)
        upstream = (upstream @ weights[f"W{layer}"].T) * (values[layer - 1] > 0)
    return gradients


def numpy_adam(params: TrainParams, examples: Split, start: Weights, iterations: int) -> Arrays:
    """Train in float64, as at the end of section 2 of Kingma and Ba (2015)."""
    order = np.random.default_rng(np.random.SeedSequence(params.seed).spawn(2)[1])
    weights = {name: array.astype(np.float64) for name, array in start.items()}
    mean = {name: np.zeros_like(array) for name, array in weights.items()}
    square = {name: np.zeros_like(array) for name, array in weights.items()}
    all_batches = batches(len(examples), params.batch_size, order)
    for step, batch in enumerate(islice(all_batches, iterations), start=1):
        gradients = numpy_gradients(weights, examples.features[batch], examples.labels[batch])
        rate = params.learning_rate * np.sqrt(1 - params.beta_2**step) / (1 - params.beta_1**step)
        for name, gradient in gradients.items():
            mean[name] = params.beta_1 * mean[name] + (1 - params.beta_1) * gradient
            square[name] = params.beta_2 * square[name] + (1 - params.beta_2) * gradient**2
            weights[name] -= rate * mean[name] / (np.sqrt(square[name]) + params.epsilon)
    return weights


@pytest.mark.parametrize("hidden_units", [(12, 7), ()])
def test_adam_agrees_with_numpy(examples: Split, hidden_units: tuple[int, ...]) -> None:
    """1, 2 and 10 steps are those of an independent Adam in float64."""
    # A large epsilon, because the sign of a tiny gradient is a matter of rounding.
    params = PARAMS.model_copy(update={"epsilon": 1e-3, "learning_rate": 0.01})
    trainer = Trainer(ModelParams(hidden_units=hidden_units), params, examples, CLASSES)
    start = trainer.weights()
    for iterations, steps, tolerance in ((1, 1, 1e-6), (1, 2, 2e-6), (8, 10, 1e-5)):
        train(trainer, iterations)
        actual = trainer.weights()
        for name, expected in numpy_adam(params, examples, start, steps).items():
            assert np.abs(expected - start[name]).max() > 10 * tolerance
            np.testing.assert_allclose(actual[name], expected, rtol=0, atol=tolerance)


def test_the_gradient_agrees_with_finite_differences(examples: Split) -> None:
    """It is the slope of the cost that NumPy computes in float64."""
    start = initial_weights(MODEL, examples.features, CLASSES, np.random.default_rng(1))
    images, labels = examples.features[:16], examples.labels[:16]
    variables = {name: tf.Variable(array) for name, array in start.items()}
    with tf.GradientTape() as tape:
        value = cost(variables, tf.constant(images), tf.constant(labels, tf.int32))
    gradients = tape.gradient(value, variables)

    def numpy_cost(weights: Arrays) -> float:
        predicted = probabilities(weights, images)  # type: ignore[arg-type]
        return float(-np.log(predicted[np.arange(len(labels)), labels]).mean())

    step = 1e-5
    random = np.random.default_rng(2)
    for name, gradient in gradients.items():
        place = tuple(random.integers(size) for size in start[name].shape)
        slopes = []
        for sign in (1, -1):
            moved = {key: array.astype(np.float64) for key, array in start.items()}
            moved[name][place] += sign * step
            slopes.append(sign * numpy_cost(moved) / (2 * step))
        assert gradient.numpy()[place] == pytest.approx(sum(slopes), abs=2e-6)


def test_numpy_agrees_with_tensorflow(examples: Split, trainer: Trainer) -> None:
    """What is evaluated is what was trained: the logits are the same."""
    trainer.reset(PARAMS)
    train(trainer, 50)
    weights = trainer.weights()
    tensors = {name: tf.constant(array) for name, array in weights.items()}
    expected = logits(tensors, tf.constant(examples.features)).numpy()
    actual = common.model.logits(weights, examples.features)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_result_follows_from_the_settings(examples: Split, trainer: Trainer) -> None:
    """A reset trainer gives the bytes of a new one; other settings give others."""

    def result(trainer: Trainer) -> list[bytes]:
        arrays = [train(trainer, 101), *trainer.weights().values()]
        return [array.tobytes() for array in arrays]

    trainer.reset(PARAMS.model_copy(update={"seed": 8, "learning_rate": 0.1}))
    other = result(trainer)
    trainer.reset(PARAMS)
    expected = result(Trainer(MODEL, PARAMS, examples, CLASSES))
    assert result(trainer) == expected
    assert not set(expected) & set(other)


def test_a_shorter_run_is_the_beginning_of_a_longer_one(trainer: Trainer) -> None:
    """Also one iteration before and after a call ends; the program is compiled only once."""
    trainer.reset(PARAMS)
    longest = train(trainer, 102)
    for iterations in (1, 99, 100, 101):
        trainer.reset(PARAMS)
        np.testing.assert_array_equal(train(trainer, iterations), longest[:iterations])
    assert trainer._train_steps.experimental_get_tracing_count() == 1
