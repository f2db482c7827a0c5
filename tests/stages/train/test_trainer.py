"""The training, compared with NumPy and with itself, and the programs that it keeps.

In one file, so that only one worker of pytest waits for TensorFlow.
"""

import functools
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from common.model import Model, TrainParams, Weights, initial_weights
from common.splits import SPLITS, Split, save_splits
from stages.train.batches import batches
from tests.project import Project
from tests.synthetic import DESCRIPTION, make_features
from tests.untrained import make_model, make_weights
from tests.workspace import CompletedRun, Workspace, synthetic_params

CLASSES = len(DESCRIPTION.classes)
PARAMS = TrainParams.model_validate(synthetic_params()["train"] | {"batch_size": 16})
RANDOM = np.random.default_rng(0)
EXAMPLES = Split(make_features(200, RANDOM), RANDOM.integers(CLASSES, size=200).astype(np.uint8))
Arrays = Mapping[str, NDArray[np.float64]]


@pytest.fixture(scope="module")
def trainer() -> Any:
    """Return a trainer whose program is compiled once for all tests that reset it."""
    from stages.train.trainer import Trainer  # TensorFlow takes seconds to start

    return Trainer(make_model(), PARAMS, 200, EXAMPLES, CLASSES)


def train(trainer: Any, iterations: int) -> NDArray[np.float32]:
    """Train, and return all costs."""
    return np.concatenate(list(trainer.train(iterations)))


def gradients(weights: Mapping[str, NDArray[np.floating]], examples: Split) -> Arrays:
    """Return the gradient of the mean cost; of the trained weights only."""
    from stages.train.network import cost
    from stages.train.reproducible import tf

    variables = {name: tf.Variable(array, dtype=tf.float32) for name, array in weights.items()}
    with tf.GradientTape() as tape:
        features, labels = tf.constant(examples.features), tf.constant(examples.labels, tf.int32)
        value = cost(variables, features, labels, tf.constant([1, 0]))
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


def chain(values: NDArray[np.float32]) -> Any:
    """Return the sum over the first axis, one after another, in float32."""
    return functools.reduce(np.add, values)


def test_what_tensorflow_prints_while_it_starts_is_shown_only_if_it_fails(
    capfd: pytest.CaptureFixture[str],
) -> None:
    from stages.train.reproducible import _silence

    with _silence():
        os.write(2, b"hidden\n")
    os.write(2, b"shown\n")
    assert capfd.readouterr().err == "shown\n"
    with pytest.raises(ImportError), _silence():
        os.write(2, b"the reason\n")
        raise ImportError
    assert capfd.readouterr().err == "the reason\n"


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="needs Linux's /proc/cpuinfo")
def test_a_processor_that_computes_the_same_bytes_is_not_warned_about() -> None:
    from stages.train.reproducible import IS_REPRODUCIBLE

    features = set(Path("/proc/cpuinfo").read_text("utf-8").split())
    assert ({"avx2", "fma"} <= features or "asimd" in features) == IS_REPRODUCIBLE


@pytest.mark.parametrize(
    ("rows", "columns", "terms"), [(16, 128, 256), (16, 200, 512), (64, 128, 512), (65, 10, 512)]
)
def test_products_and_their_gradients_add_so_many_terms_in_order(
    rows: int, columns: int, terms: int
) -> None:
    """And then these sums. One factor is 1, so that each term is exact."""
    from stages.train.arithmetic import matmul
    from stages.train.reproducible import tf

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def products(values: Any, weights: Any, upstream: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([values, weights])
            product = matmul(values, weights)
        return product, *tape.gradient(product, [values, weights], upstream)

    def ones(*shape: int) -> NDArray[np.float32]:
        return np.ones(shape, np.float32)

    def expected(terms: int) -> NDArray[np.float32]:
        sums = [chain(random[first : first + terms]) for first in range(0, len(random), terms)]
        return np.repeat(chain(np.array(sums))[:, np.newaxis], columns, axis=1)

    random = np.random.default_rng(0).normal(size=(784, rows)).astype(np.float32)
    product, _, _ = products(random.T, ones(784, columns), ones(rows, columns))
    np.testing.assert_array_equal(product, expected(terms))
    _, of_values, _ = products(ones(rows, columns), ones(columns, 784), random.T)
    np.testing.assert_array_equal(of_values, expected(512))  # the right factor is transposed
    _, _, of_weights = products(random, ones(rows, columns), ones(784, columns))
    np.testing.assert_array_equal(of_weights, expected(terms))


@pytest.mark.parametrize("count", [1, 10, 32, 33, 64, 1100])
def test_sums_add_32_terms_in_order(count: int) -> None:
    """And the sums of each 32 the same way: more than 1,024 terms on three levels."""
    from stages.train.arithmetic import total
    from stages.train.reproducible import tf

    values = np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
    expected = values
    while len(expected) > 1:
        firsts = range(0, len(expected), 32)
        expected = np.array([chain(expected[first : first + 32]) for first in firsts])
    actual = tf.function(total, jit_compile=True)(tf.constant(values))
    np.testing.assert_array_equal(actual, expected[0])


def test_the_cost_of_large_logits_does_not_overflow() -> None:
    from stages.train.arithmetic import softmax_cross_entropy
    from stages.train.reproducible import tf

    logits = tf.constant([[1000.0, 0], [1000, 0], [-1000, -1000]])
    costs = softmax_cross_entropy(tf.constant([0, 1, 1]), logits)
    np.testing.assert_allclose(costs, [0, 1000, np.log(2)], rtol=1e-6)


def test_a_product_whose_order_is_not_decided_is_warned_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from stages.train.arithmetic import matmul

    matmul(np.ones((16, 5000), np.float32), np.ones((5000, 8), np.float32))
    assert "16 x 5,000 and 5,000 x 8: its last digits may depend" in capsys.readouterr().out


def test_1_2_and_10_steps_are_those_of_an_adam_in_numpy(trainer: Any) -> None:
    # A large epsilon, because the sign of a tiny gradient is a matter of rounding.
    params = PARAMS.model_copy(update={"epsilon": 1e-3, "learning_rate": 0.01})
    trainer.reset(params, 10)
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
        predicted = Model(weights).probabilities(examples.features)  # type: ignore[arg-type]
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
    trainer.reset(PARAMS, 201)
    longest = train(trainer, 201)
    for iterations in (1, 100, 101):
        trainer.reset(PARAMS, 201)
        np.testing.assert_array_equal(train(trainer, iterations), longest[:iterations])
    assert trainer._train_steps.experimental_get_tracing_count() == 1


def test_examples_that_stay_on_disk_give_the_same_bytes(
    trainer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are gathered for each call, which may be shorter."""
    trainer.reset(PARAMS, 201)
    expected = train(trainer, 25)
    monkeypatch.setattr("stages.train.trainer.RESIDENT_BYTES", 0)
    monkeypatch.setattr("stages.train.trainer.CALL_BYTES", 10 * 16 * EXAMPLES.features[0].nbytes)
    mapped = type(trainer)(make_model(), PARAMS, 201, EXAMPLES, CLASSES)
    assert [len(costs) for costs in mapped.train(25)] == [10, 10, 5]
    mapped.reset(PARAMS, 201)
    np.testing.assert_array_equal(train(mapped, 25), expected)
    for name, values in trainer.weights().items():
        np.testing.assert_array_equal(mapped.weights()[name], values)


def test_a_weight_that_the_network_does_not_use_stays(
    trainer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the mean of each column, which is saved and served with the others."""

    def more_weights(*arguments: Any) -> Weights:
        return {**initial_weights(*arguments), "constant": np.array([1, 2], np.float32)}

    monkeypatch.setattr("stages.train.trainer.initial_weights", more_weights)
    more = type(trainer)(make_model(), PARAMS, 10, EXAMPLES, CLASSES)
    before = more.weights()
    train(more, 10)
    changed = {name for name, values in more.weights().items() if (values != before[name]).any()}
    assert changed
    assert "constant" not in changed


def test_what_is_random_has_the_seed_and_the_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after a restart."""
    from stages.train.reproducible import tf
    from stages.train.trainer import Trainer

    def cost(weights: Any, _features: Any, _labels: Any, seed: Any) -> Any:
        total = tf.add_n([tf.reduce_sum(weight) for weight in weights.values()])
        return tf.cast(1000 * seed[0] + seed[1], tf.float32) + 0 * total

    monkeypatch.setattr("stages.train.trainer.cost", cost)
    params = PARAMS.model_copy(update={"seed": 7})
    seeded = Trainer(make_model(), params, 10, EXAMPLES, CLASSES)
    assert train(seeded, 3).tolist() == [7000, 7001, 7002]
    state = seeded.state()
    seeded.reset(params, 10)
    seeded.restore(state)
    assert train(seeded, 2).tolist() == [7003, 7004]


def test_the_accuracy_is_that_of_the_model_in_numpy(
    trainer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all examples, also in pieces of which the last is shorter."""
    trainer.reset(PARAMS, 201)
    train(trainer, 20)
    predicted = Model(trainer.weights()).probabilities(EXAMPLES.features).argmax(axis=1)
    expected = (predicted == EXAMPLES.labels).mean()
    assert trainer.accuracy(EXAMPLES) == expected
    monkeypatch.setattr("stages.train.trainer.CALL_BYTES", 150 * EXAMPLES.features[0].nbytes)
    assert trainer.accuracy(EXAMPLES) == expected


@pytest.fixture
def prepared(workspace: Workspace) -> Workspace:
    """Return a working directory with splits to train with."""
    splits = dict.fromkeys(SPLITS, EXAMPLES)
    about = (DESCRIPTION.classes, DESCRIPTION.example_shape, "features", DESCRIPTION.columns)
    save_splits(Path("data/flat"), splits, *about)
    workspace.params["train"] |= {"batch_size": 16, "validate_every_iterations": 30}
    return workspace


def run_stage(workspace: Workspace, iterations: int) -> CompletedRun:
    """Train; outputs are removed before, as DVC does it."""
    shutil.rmtree("new", ignore_errors=True)
    workspace.params["runs"]["long"]["iterations"] = iterations
    return workspace.run("train", "long", "data/flat", "new/model", "new/costs.csv", "new/c.csv")


def contents() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path("new").rglob("*") if path.is_file()}


@pytest.mark.fault
def test_an_interrupted_training_goes_on(
    prepared: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be made longer as well; its files are those of one that was never interrupted."""
    from stages.train.trainer import Trainer

    accuracy: Callable[..., float] = Trainer.accuracy

    def interrupt(*arguments: Any) -> float:
        signal.raise_signal(signal.SIGTERM)
        return accuracy(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "accuracy", interrupt)
        assert run_stage(prepared, 50).status == 128 + signal.SIGTERM
    assert set(contents()) == {"costs.csv", "c.csv"}
    assert "goes on after 30 iterations\n" in run_stage(prepared, 50).out
    assert "goes on after 50 iterations\n" in run_stage(prepared, 70).out
    assert "goes on" not in run_stage(prepared, 70).out
    actual = contents()
    assert set(actual) == {"weights.npz", "training.json", "costs.csv", "c.csv"}
    shutil.rmtree(".cache/checkpoints")
    assert "goes on" not in run_stage(prepared, 70).out
    assert contents() == actual
    assert Model.load(Path("new/model")).probabilities(EXAMPLES.features).shape == (200, CLASSES)


def test_a_batch_has_at_most_all_examples(prepared: Workspace) -> None:
    prepared.params["train"]["batch_size"] = 201
    completed = run_stage(prepared, 1)
    problem = "train.batch_size: is 201, should be at most the 200 training examples"
    assert (completed.status, completed.error()) == (2, f"params.yaml: {problem}")


@pytest.mark.fault
def test_what_the_last_iteration_spoils_is_not_written(prepared: Workspace) -> None:
    prepared.params["train"]["learning_rate"] = 1e39  # infinite in float32
    completed = run_stage(prepared, 1)
    assert completed.status == 1
    assert " is not finite; try a smaller train.learning_rate" in completed.error()
    assert completed.error().startswith("after the last iteration")
    assert "weights.npz" not in contents()


@pytest.mark.slow
def test_a_stored_program_computes_the_same_bytes(project_copy: Project) -> None:
    """A training with the program of an earlier one writes the weights of that one."""
    programs = project_copy.path / ".cache/xla"
    stage = ("-m", "stages.train", "short", "data/flat", "model", "costs.csv", "curves.csv")
    weights = project_copy.path / "model/weights.npz"
    shutil.rmtree(programs)
    project_copy.do("python", *stage)
    compiled, names = weights.read_bytes(), set(programs.glob("*/*"))
    assert names
    project_copy.do("python", *stage)
    assert set(programs.glob("*/*")) == names
    assert weights.read_bytes() == compiled
    assert compiled == (project_copy.path / "models/short/weights.npz").read_bytes()
