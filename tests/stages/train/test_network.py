"""The network in training, against NumPy and against itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import islice

import numpy as np
import pytest
from tests.fixtures import ROOT
from numpy.typing import NDArray

from common import model as inference
from common.arrays import Split
from common.config import TrainParams
from stages.train.batches import batches
from stages.train.network import Trainer, cost, initial_weights, logits, tf

PIXELS, CLASSES = 30, 4
Arrays = Mapping[str, NDArray[np.float64]]


@pytest.fixture(scope="module")
def examples() -> Split:
    """Give 500 images of a bright bar whose place is the label, in noise."""
    random = np.random.default_rng(0)
    labels = random.integers(CLASSES, size=500).astype(np.uint8)
    images = random.integers(90, size=(500, PIXELS)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[label * 7 : label * 7 + 5] += 120
    return Split(images, labels)


def settings(**changes: object) -> TrainParams:
    """Give the settings of a small network."""
    usual = {
        "hidden_units": [12, 7],
        "batch_size": 16,
        "learning_rate": 0.001,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-8,
        "seed": 3,
        "log_every_iterations": 100,
    }
    return TrainParams.model_validate(usual | changes)


@pytest.fixture(scope="module")
def compiled(examples: Split) -> Trainer:
    """Give a training whose program is compiled once for all tests that restart it."""
    return Trainer(settings(), examples, CLASSES)


def costs_of(training: Trainer, iterations: int) -> NDArray[np.float32]:
    """Train on, and give all costs."""
    return np.concatenate(list(training.train(iterations)))


def numpy_gradients(
    weights: Arrays, images: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> Arrays:
    """Go back through a ReLU network by the chain rule, in float64."""
    layers = len(weights) // 2
    values = [images / 255.0]
    for layer in range(1, layers + 1):
        sums = values[-1] @ weights[f"W{layer}"] + weights[f"b{layer}"]
        values.append(np.maximum(sums, 0) if layer < layers else sums)
    upstream = inference.probabilities(values[-1])
    upstream[np.arange(len(labels)), labels] -= 1
    upstream /= len(labels)
    gradients = {}
    for layer in range(layers, 0, -1):
        gradients[f"W{layer}"] = values[layer - 1].T @ upstream
        gradients[f"b{layer}"] = upstream.sum(axis=0)
        upstream = (upstream @ weights[f"W{layer}"].T) * (values[layer - 1] > 0)
    return gradients


def numpy_adam(config: TrainParams, examples: Split, start: Arrays, iterations: int) -> Arrays:
    """Train as Kingma and Ba (2015) say at the end of their section 2, in float64."""
    order = np.random.default_rng(np.random.SeedSequence(config.seed).spawn(2)[1])
    drawn = batches(len(examples), config.batch_size, order)
    weights = {name: array.astype(np.float64) for name, array in start.items()}
    mean = {name: np.zeros_like(array) for name, array in weights.items()}
    square = {name: np.zeros_like(array) for name, array in weights.items()}
    for step, batch in enumerate(islice(drawn, iterations), start=1):
        gradients = numpy_gradients(weights, examples.images[batch], examples.labels[batch])
        rate = config.learning_rate * np.sqrt(1 - config.beta_2**step) / (1 - config.beta_1**step)
        for name, gradient in gradients.items():
            mean[name] = config.beta_1 * mean[name] + (1 - config.beta_1) * gradient
            square[name] = config.beta_2 * square[name] + (1 - config.beta_2) * gradient**2
            weights[name] -= rate * mean[name] / (np.sqrt(square[name]) + config.epsilon)
    return weights


@pytest.mark.parametrize("hidden_units", [[12, 7], []])
def test_adam_agrees_with_numpy(examples: Split, hidden_units: list[int]) -> None:
    """1, 2 and 10 steps of the compiled program are those of an independent Adam in float64."""
    # A large epsilon: where a gradient is next to nothing, its sign is a matter of rounding.
    config = settings(hidden_units=hidden_units, epsilon=1e-3, learning_rate=0.01)
    training = Trainer(config, examples, CLASSES)
    start = training.weights()
    for further, steps, tolerance in ((1, 1, 1e-6), (1, 2, 2e-6), (8, 10, 1e-5)):
        costs_of(training, further)
        given = training.weights()
        for name, expected in numpy_adam(config, examples, start, steps).items():
            assert np.abs(expected - start[name]).max() > 10 * tolerance
            np.testing.assert_allclose(given[name], expected, rtol=0, atol=tolerance)


def test_gradient_agrees_with_finite_differences(examples: Split) -> None:
    """The gradient of the cost is the slope of the cost that NumPy computes in float64."""
    start = initial_weights([PIXELS, 12, 7, CLASSES], np.random.default_rng(1))
    images, labels = examples.images[:16], examples.labels[:16]
    variables = [tf.Variable(array) for array in start.values()]
    with tf.GradientTape() as tape:
        value = cost(variables, tf.constant(images), tf.constant(labels, tf.int32))
    gradients = tape.gradient(value, variables)

    def numpy_cost(weights: Arrays) -> float:
        odds = inference.probabilities(inference.logits(weights, images))  # type: ignore[arg-type]
        return float(-np.log(odds[np.arange(len(labels)), labels]).mean())

    step = 1e-5
    random = np.random.default_rng(2)
    for name, gradient in zip(start, gradients, strict=True):
        place = tuple(random.integers(size) for size in start[name].shape)
        slopes = []
        for sign in (1, -1):
            moved = {key: array.astype(np.float64) for key, array in start.items()}
            moved[name][place] += sign * step
            slopes.append(sign * numpy_cost(moved) / (2 * step))
        assert gradient.numpy()[place] == pytest.approx(sum(slopes), abs=2e-6)


def test_inference_agrees_with_the_network(examples: Split, compiled: Trainer) -> None:
    """NumPy gives the logits that TensorFlow gives."""
    compiled.reset(settings())
    costs_of(compiled, 50)
    weights = compiled.weights()
    expected = logits([tf.constant(array) for array in weights.values()], examples.images).numpy()
    np.testing.assert_allclose(
        inference.logits(weights, examples.images), expected, rtol=1e-4, atol=1e-5
    )


def test_same_settings_give_the_same_bytes(examples: Split, compiled: Trainer) -> None:
    """Weights and costs follow from the settings alone: another seed gives others, and after a
    restart nothing is left of what was learned before.
    """

    def result(training: Trainer) -> list[bytes]:
        costs = costs_of(training, 130)
        return [costs.tobytes(), *(array.tobytes() for array in training.weights().values())]

    compiled.reset(settings(seed=8, learning_rate=0.1))
    other = result(compiled)
    compiled.reset(settings())
    expected = result(Trainer(settings(), examples, CLASSES))
    assert expected == result(compiled)
    assert not set(expected) & set(other)


def test_number_of_iterations_does_not_matter(compiled: Trainer) -> None:
    """Iterations N-1, N and N+1 of a call's length are the beginning of one and the same row."""
    compiled.reset(settings())
    long = costs_of(compiled, 205)
    for iterations in (1, 99, 100, 101, 200, 201):
        compiled.reset(settings())
        costs = costs_of(compiled, iterations)
        assert iterations == len(costs)
        np.testing.assert_array_equal(long[:iterations], costs)


def test_one_program_serves_every_call(compiled: Trainer) -> None:
    """The loop is traced once, whatever the number of iterations, the seed and the rate."""
    for changes in ({"seed": 1}, {"learning_rate": 0.1}, {"beta_1": 0.5, "epsilon": 1e-7}):
        compiled.reset(settings(**changes))
        costs_of(compiled, 150)
    traces = compiled._train_steps.experimental_get_tracing_count()
    assert traces == 1


def test_train_steps(compiled: Trainer) -> None:
    """The cost begins at that of a guess and falls far, but not to nothing."""
    compiled.reset(settings())
    costs = costs_of(compiled, 400)
    assert costs[0] == pytest.approx(np.log(CLASSES), abs=0.5)
    assert 1e-4 < costs[-50:].mean() < 0.2


def test_first_weights_are_xaviers() -> None:
    """They fill their interval evenly, with the variance that it has; biases are zero."""
    weights = initial_weights([784, 128, 10], np.random.default_rng(5))
    assert list(weights) == ["W1", "b1", "W2", "b2"]
    limit = np.sqrt(6 / (784 + 128))
    assert 0.999 * limit < np.abs(weights["W1"]).max() <= limit
    assert weights["W1"].var() == pytest.approx(2 / (784 + 128), rel=0.01)
    assert not weights["b1"].any()


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")
@pytest.mark.parametrize("batch_size", [32, 48, 64])
def test_the_number_of_processors_does_not_matter(batch_size: int) -> None:
    """One processor gives the bytes that all of them give; these batches have differed."""
    program = f"""
import os
os.sched_setaffinity(0, {{processors}})
import hashlib
import numpy as np
from common.arrays import Split
from stages.train.network import Trainer
from common.config import TrainParams
settings = TrainParams(
    hidden_units=[128, 64], batch_size={batch_size}, learning_rate=0.001, beta_1=0.9, beta_2=0.999,
    epsilon=1e-8, seed=1, log_every_iterations=100,
)
random = np.random.default_rng(0)
images = random.integers(256, size=(1000, 784)).astype(np.uint8)
training = Trainer(settings, Split(images, random.integers(10, size=1000).astype(np.uint8)), 10)
costs = list(training.train(100))
arrays = [*costs, *training.weights().values()]
print(hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest())
"""
    every = os.sched_getaffinity(0)
    one, all_of_them = (
        subprocess.run(
            [sys.executable, "-c", program.replace("{processors}", str(processors))],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        for processors in ({min(every)}, every)
    )
    assert len(all_of_them.strip()) == 64
    assert one == all_of_them
