"""Train a model with Adam, many iterations in each call of one compiled program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.model import ModelParams, TrainParams, Weights, initial_weights
from common.splits import Split
from stages.train.batches import batches
from stages.train.network import cost, logits
from stages.train.reproducible import tf

# Enough that the cost of a call is negligible, few enough that progress is seen.
ITERATIONS_PER_CALL = 100
# Examples that need more memory are read for each call; fewer iterations of large batches.
RESIDENT_BYTES = 1 << 30
CALL_BYTES = 1 << 27


class Trainer:
    """A model in training.

    The examples stay in TensorFlow as they are. Each call of the compiled program gathers its
    batches by their indices, makes up to `ITERATIONS_PER_CALL` iterations and returns their costs.
    Examples that do not fit into `RESIDENT_BYTES` are gathered before each call.

    Attributes
    ----------
    done
        The number of iterations that are done.
    """

    done: int

    def __init__(
        self,
        model: ModelParams,
        params: TrainParams,
        iterations: int,
        examples: Split,
        classes: int,
    ) -> None:
        self._model = model
        self._classes = classes
        self._examples = examples
        self._is_resident = examples.features.nbytes <= RESIDENT_BYTES
        self._call = ITERATIONS_PER_CALL
        if self._is_resident:
            self._features = tf.constant(examples.features)
            self._labels = tf.constant(examples.labels, tf.int32)
        else:
            batch_bytes = params.batch_size * examples.features[0].nbytes
            self._call = min(self._call, max(1, CALL_BYTES // batch_bytes))
        shapes = {name: array.shape for name, array in self._initial_weights(0).items()}
        self._weights, self._means, self._squares = (
            {name: tf.Variable(tf.zeros(shape)) for name, shape in shapes.items()} for _ in range(3)
        )
        # Adam's constants and powers of beta are variables, so that one compiled program serves
        # all of their values.
        names = ("learning_rate", "beta_1", "beta_2", "epsilon", "beta_1_power", "beta_2_power")
        self._adam = {name: tf.Variable(0.0) for name in names}
        # The seed and the length of the training, and the iterations that are done.
        self._seed, self._iterations, self._done = (tf.Variable(0) for _ in range(3))
        self.reset(params, iterations)

    def reset(self, params: TrainParams, iterations: int) -> None:
        """Start again, with other settings but the same model and size of batches.

        The compiled program is kept, so that many trainings cost one compilation. `iterations` is
        the length of the whole training, which a schedule may depend on.
        """
        for name, values in self._initial_weights(params.seed).items():
            self._weights[name].assign(values)
        for variable in (*self._means.values(), *self._squares.values()):
            variable.assign(tf.zeros_like(variable))
        for name in ("learning_rate", "beta_1", "beta_2", "epsilon"):
            self._adam[name].assign(getattr(params, name))
        self._adam["beta_1_power"].assign(params.beta_1)
        self._adam["beta_2_power"].assign(params.beta_2)
        self._seed.assign(params.seed % (1 << 31))
        self._iterations.assign(iterations)
        self._done.assign(0)
        self.done = 0
        _, for_batches = np.random.SeedSequence(params.seed).spawn(2)
        random = np.random.default_rng(for_batches)
        self._batches = batches(len(self._examples), params.batch_size, random)

    def train(self, iterations: int) -> Iterator[NDArray[np.float32]]:
        """Make some more iterations, and yield their costs as they are computed."""
        for start in range(0, iterations, self._call):
            count = min(self._call, iterations - start)
            indices = np.stack(list(islice(self._batches, count)))
            padding = np.zeros((self._call - count, indices.shape[1]), np.int32)
            batch = self._gather(np.concatenate([indices, padding]))
            self.done += count
            yield self._train_steps(batch, tf.constant(count)).numpy()[:count]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return everything on which further iterations depend."""
        return {name: variable.numpy() for name, variable in self._variables().items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of a training with the same settings."""
        for name, variable in self._variables().items():
            variable.assign(state[name])
        self.done = int(state["done"])
        next(islice(self._batches, self.done, self.done), None)  # skips the batches

    def weights(self) -> Weights:
        """Return the current weights, float32."""
        return {name: variable.numpy() for name, variable in self._weights.items()}

    def logits(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """Return TensorFlow's logits with the current weights, shape (n, classes)."""
        return np.asarray(logits(self._weights, tf.constant(features)).numpy())

    def accuracy(self, examples: Split) -> float:
        """Return the fraction of examples whose most probable class is their label."""
        size = max(1, CALL_BYTES // examples.features[0].nbytes)
        correct = 0
        for start in range(0, len(examples), size):
            labels = tf.constant(examples.labels[start : start + size], tf.int32)
            features = tf.constant(examples.features[start : start + size])
            correct += int(self._count_correct(features, labels).numpy())
        return correct / len(examples)

    def _initial_weights(self, seed: int) -> Weights:
        for_weights, _ = np.random.SeedSequence(seed).spawn(2)
        random = np.random.default_rng(for_weights)
        return initial_weights(self._model, self._examples.features, self._classes, random)

    def _variables(self) -> dict[str, tf.Variable]:
        groups = {"weight": self._weights, "mean": self._means, "square": self._squares}
        variables = {
            f"{group}.{name}": variable
            for group, variables in groups.items()
            for name, variable in variables.items()
        }
        powers = {name: self._adam[name] for name in ("beta_1_power", "beta_2_power")}
        return variables | powers | {"done": self._done}

    def _gather(self, indices: NDArray[np.int32]) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        if self._is_resident:
            return tf.constant(indices)
        labels = tf.constant(self._examples.labels[indices], tf.int32)
        return tf.constant(self._examples.features[indices]), labels

    def _batch(self, batch: tf.Tensor | tuple[tf.Tensor, tf.Tensor], step: tf.Tensor) -> Any:
        if self._is_resident:
            return tf.gather(self._features, batch[step]), tf.gather(self._labels, batch[step])
        features, labels = batch
        return features[step], labels[step]

    # AutoGraph would make the loop of `while`, but leave files in the folder for temporary ones.
    @tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]
    def _train_steps(
        self, batch: tf.Tensor | tuple[tf.Tensor, tf.Tensor], count: tf.Tensor
    ) -> tf.Tensor:
        """Make `count` iterations, and return their costs."""

        def step(number: tf.Tensor, costs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            batch_cost = self._train_step(*self._batch(batch, number))
            return number + 1, tf.tensor_scatter_nd_update(costs, [[number]], [batch_cost])

        # XLA would compile a loop over `tf.range(count)` again for each count.
        start = (tf.constant(0), tf.zeros(self._call))
        _, costs = tf.while_loop(lambda number, _: number < count, step, start)
        return costs

    def _train_step(self, features: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Make one step of Adam, and return the cost before it."""
        seed = tf.stack([self._seed, self._done])
        with tf.GradientTape() as tape:
            batch_cost = cost(self._weights, features, labels, seed)
        # Zero for a weight that the forward pass keeps constant, which Adam then leaves as it is.
        gradients = tape.gradient(batch_cost, self._weights, unconnected_gradients="zero")
        adam = self._adam
        for name, gradient in gradients.items():
            tf.raw_ops.ResourceApplyAdam(
                var=self._weights[name].handle,
                m=self._means[name].handle,
                v=self._squares[name].handle,
                beta1_power=adam["beta_1_power"],
                beta2_power=adam["beta_2_power"],
                lr=adam["learning_rate"],
                beta1=adam["beta_1"],
                beta2=adam["beta_2"],
                epsilon=adam["epsilon"],
                grad=gradient,
            )
        adam["beta_1_power"].assign(adam["beta_1_power"] * adam["beta_1"])
        adam["beta_2_power"].assign(adam["beta_2_power"] * adam["beta_2"])
        self._done.assign_add(1)
        return batch_cost

    @tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]
    def _count_correct(self, features: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        predicted = tf.argmax(logits(self._weights, features), axis=1, output_type=tf.int32)
        return tf.reduce_sum(tf.cast(predicted == labels, tf.int32))
