"""Train a model with Adam, many iterations in each call of one compiled program."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.config import TrainParams
from common.model import ModelParams, Weights, initial_weights
from common.splits import Split
from stages.train.batches import batches
from stages.train.network import logits
from stages.train.reproducible import tf

# Enough that the cost of a call is negligible, few enough that progress is seen.
ITERATIONS_PER_CALL = 100


def cost(weights: dict[str, tf.Tensor], features: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the mean softmax cross entropy of a batch, in nats; labels are int32 (n,)."""
    scores = logits(weights, features)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores))


class Trainer:
    """A model in training.

    The examples stay in TensorFlow as they are. Each call of the compiled program gathers its
    batches by their indices, makes up to `ITERATIONS_PER_CALL` iterations and returns their costs.
    """

    def __init__(
        self, model: ModelParams, params: TrainParams, examples: Split, classes: int
    ) -> None:
        self._model = model
        self._classes = classes
        self._examples = examples
        self._features = tf.constant(examples.features)
        self._labels = tf.constant(examples.labels, tf.int32)
        shapes = {name: array.shape for name, array in self._initial_weights(0).items()}
        self._weights, self._means, self._squares = (
            {name: tf.Variable(tf.zeros(shape)) for name, shape in shapes.items()} for _ in range(3)
        )
        # Adam's constants and powers of beta are variables, so that one compiled program serves
        # all of their values.
        names = ("learning_rate", "beta_1", "beta_2", "epsilon", "beta_1_power", "beta_2_power")
        self._adam = {name: tf.Variable(0.0) for name in names}
        self.reset(params)

    def reset(self, params: TrainParams) -> None:
        """Start again, with other settings but the same model and size of batches.

        The compiled program is kept, so that many trainings cost one compilation.
        """
        for name, values in self._initial_weights(params.seed).items():
            self._weights[name].assign(values)
        for variable in (*self._means.values(), *self._squares.values()):
            variable.assign(tf.zeros_like(variable))
        for name in ("learning_rate", "beta_1", "beta_2", "epsilon"):
            self._adam[name].assign(getattr(params, name))
        self._adam["beta_1_power"].assign(params.beta_1)
        self._adam["beta_2_power"].assign(params.beta_2)
        _, for_batches = np.random.SeedSequence(params.seed).spawn(2)
        random = np.random.default_rng(for_batches)
        self._batches = batches(len(self._labels), params.batch_size, random)

    def train(self, iterations: int) -> Iterator[NDArray[np.float32]]:
        """Train for some more iterations, and yield their costs as they are computed."""
        for done in range(0, iterations, ITERATIONS_PER_CALL):
            count = min(ITERATIONS_PER_CALL, iterations - done)
            indices = np.stack(list(islice(self._batches, count)))
            padding = np.zeros((ITERATIONS_PER_CALL - count, indices.shape[1]), np.int32)
            indices = tf.constant(np.concatenate([indices, padding]))
            yield self._train_steps(indices, tf.constant(count)).numpy()[:count]

    def weights(self) -> Weights:
        """Return the current weights, float32."""
        return {name: variable.numpy() for name, variable in self._weights.items()}

    def logits(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """Return TensorFlow's logits with the current weights, shape (n, classes)."""
        return np.asarray(logits(self._weights, tf.constant(features)).numpy())

    def _initial_weights(self, seed: int) -> Weights:
        for_weights, _ = np.random.SeedSequence(seed).spawn(2)
        random = np.random.default_rng(for_weights)
        return initial_weights(self._model, self._examples.features, self._classes, random)

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def _train_steps(self, indices: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """Make `count` iterations, and return their costs; AutoGraph makes one loop of `while`."""
        costs = tf.zeros(ITERATIONS_PER_CALL)
        iteration = 0
        while iteration < count:  # XLA would compile `tf.range(count)` again for each count
            batch_cost = self._train_step(indices[iteration])
            costs = tf.tensor_scatter_nd_update(costs, [[iteration]], [batch_cost])
            iteration += 1
        return costs

    def _train_step(self, batch: tf.Tensor) -> tf.Tensor:
        """Make one step of Adam, and return the cost before it."""
        features, labels = tf.gather(self._features, batch), tf.gather(self._labels, batch)
        with tf.GradientTape() as tape:
            batch_cost = cost(self._weights, features, labels)
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
        return batch_cost
