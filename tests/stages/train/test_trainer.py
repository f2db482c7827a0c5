"""The training, compared with NumPy and with itself, and the programs that it keeps.

In one file, so that only one worker of pytest waits for TensorFlow.
"""

import os
import shutil
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common.inference import probabilities
from numpy.typing import NDArray

from common.config import TrainParams
from common.model import Weights
from common.splits import Split
from stages.train.batches import batches
from tests.fixtures import Project, make_features, make_model, make_weights, synthetic_params
from tests.synthetic import DESCRIPTION

CLASSES = len(DESCRIPTION.classes)
PARAMS = TrainParams.model_validate(synthetic_params()["train"] | {"batch_size": 16})
RANDOM = np.random.default_rng(0)
EXAMPLES = Split(make_features(200, RANDOM), RANDOM.integers(CLASSES, size=200).astype(np.uint8))
Arrays = Mapping[str, NDArray[np.float64]]


@pytest.fixture(scope="module")
def trainer() -> Any:
    """Return a trainer whose program is compiled once for all tests that reset it."""
    from stages.train.trainer import Trainer  # TensorFlow takes seconds to start

    return Trainer(make_model(), PARAMS, EXAMPLES, CLASSES)


def train(trainer: Any, iterations: int) -> NDArray[np.float32]:
    """Train, and return all costs."""
    return np.concatenate(list(trainer.train(iterations)))


def gradients(weights: Mapping[str, NDArray[np.floating]], examples: Split) -> Arrays:
    """Return the gradient of the mean cost; of the trained weights only."""
    from stages.train.reproducible import tf
    from stages.train.trainer import cost

    variables = {name: tf.Variable(array, dtype=tf.float32) for name, array in weights.items()}
    with tf.GradientTape() as tape:
        features, labels = tf.constant(examples.features), tf.constant(examples.labels, tf.int32)
        value = cost(variables, features, labels)
    of_all = tape.gradient(value, variables).items()
    return {name: gradient.numpy() for name, gradient in of_all if gradient is not None}


def numpy_adam(params: TrainParams, start: Weights, iterations: int) -> Arrays:
    """Train in float64, as at the end of section 2 of Kingma and Ba (2015)."""
    order = np.random.default_rng(np.random.SeedSequence(params.seed).spawn(2)[1])
    weights = {name: array.astype(np.float64) for name, array in start.items()}
    mean = {name: np.zeros_like(array) for name, array in weights.items()}
    square = {name: np.zeros_like(array) for name, array in weights.items()}
    all_batches = batches(len(EXAMPLES), params.batch_size, order)
    for step, batch in enumerate(islice(all_batches, iterations), start=1):
        examples = Split(EXAMPLES.features[batch], EXAMPLES.labels[batch])
        rate = params.learning_rate * np.sqrt(1 - params.beta_2**step) / (1 - params.beta_1**step)
        for name, gradient in gradients(weights, examples).items():
            mean[name] = params.beta_1 * mean[name] + (1 - params.beta_1) * gradient
            square[name] = params.beta_2 * square[name] + (1 - params.beta_2) * gradient**2
            weights[name] -= rate * mean[name] / (np.sqrt(square[name]) + params.epsilon)
    return weights


def test_1_2_and_10_steps_are_those_of_an_adam_in_numpy(trainer: Any) -> None:
    # A large epsilon, because the sign of a tiny gradient is a matter of rounding.
    params = PARAMS.model_copy(update={"epsilon": 1e-3, "learning_rate": 0.01})
    trainer.reset(params)
    start = trainer.weights()
    for more, steps, tolerance in ((1, 1, 1e-6), (1, 2, 2e-6), (8, 10, 1e-5)):
        for _ in range(more):  # a call of another length would be compiled again
            train(trainer, 1)
        actual, expected = trainer.weights(), numpy_adam(params, start, steps)
        for name in gradients(start, EXAMPLES):
            assert np.abs(expected[name] - start[name]).max() > 10 * tolerance
        for name in start:
            np.testing.assert_allclose(actual[name], expected[name], rtol=0, atol=tolerance)


def test_the_gradient_agrees_with_finite_differences_in_numpy() -> None:
    start = make_weights(seed=1)
    examples = Split(EXAMPLES.features[:16], EXAMPLES.labels[:16])

    def numpy_cost(weights: Arrays) -> float:
        predicted = probabilities(weights, examples.features)  # type: ignore[arg-type]
        return float(-np.log(predicted[np.arange(len(examples)), examples.labels]).mean())

    step = 1e-5
    for name, gradient in gradients(start, examples).items():
        place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        slopes = []
        for sign in (1, -1):
            moved = {key: array.astype(np.float64) for key, array in start.items()}
            moved[name][place] += sign * step
            slopes.append(sign * numpy_cost(moved) / (2 * step))
        assert gradient[place] == pytest.approx(sum(slopes), rel=1e-4)


def test_a_shorter_run_is_the_beginning_of_a_longer_one(trainer: Any) -> None:
    """Also one iteration after a call ends; the program is traced only once."""
    trainer.reset(PARAMS)
    longest = train(trainer, 201)
    for iterations in (1, 100, 101):
        trainer.reset(PARAMS)
        np.testing.assert_array_equal(train(trainer, iterations), longest[:iterations])
    assert trainer._train_steps.experimental_get_tracing_count() == 1


def folder() -> Path:
    """Return the folder that XLA reads and writes."""
    return Path(os.environ["TF_XLA_FLAGS"].partition("=")[2])


@pytest.mark.fault
@pytest.mark.usefixtures("workspace")
def test_a_program_is_there_again_until_it_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next training finds it under the same name, but XLA never sees a damaged one."""
    from stages.train.program_cache import CACHE, program_cache

    monkeypatch.setenv("TF_XLA_FLAGS", "")  # so that it is unset afterwards
    with program_cache():
        (folder() / "program.pb").write_bytes(b"machine code")
    with program_cache():
        assert (folder() / "program.pb").read_bytes() == b"machine code"
    assert not folder().exists()
    (kept,) = CACHE.glob("*/program.*")
    kept.write_bytes(b"machine c0de")
    with program_cache():
        assert list(folder().iterdir()) == []
    assert not kept.exists()
    # A folder that cannot be made is no error.
    shutil.rmtree(".cache")
    Path(".cache").touch()
    with program_cache():
        pass


@pytest.mark.slow
def test_a_kept_program_computes_the_same_bytes(project_copy: Project) -> None:
    """A training with a kept program writes the weights of one that compiled it."""
    kept = project_copy.path / ".cache/xla"
    arguments = ("-m", "stages.train", "short", "data/flat", "weights.npz", "costs.csv")
    weights = project_copy.path / "weights.npz"
    shutil.rmtree(kept)
    project_copy.do("python", *arguments)
    compiled, programs = weights.read_bytes(), set(kept.glob("*/*"))
    assert programs
    project_copy.do("python", *arguments)
    assert set(kept.glob("*/*")) == programs
    assert weights.read_bytes() == compiled
    assert compiled == (project_copy.path / "models/short/weights.npz").read_bytes()
