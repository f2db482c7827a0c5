"""The network in training: its weights, its cost, and Adam, compiled into one program.

The only module that imports TensorFlow. What it computes has the same bytes on every x86-64
processor with AVX2, however many threads it has. Four things see to that:

1. XLA is told to use no arithmetic that depends on the processor. Its library for matrix products,
   YNNPACK, then cuts and adds sums in the same order everywhere, not where the size of a cache or
   the width of a register says.
2. XLA's own code is made for AVX2, wherever it runs: wider registers would add in another order.
3. No product has a transposed left factor (`multiply`), for XLA hands such a one to oneDNN, whose
   order follows the instruction set.
4. There are always two threads. With one, YNNPACK cuts the sums of some shapes otherwise, those of
   batches of 32 among them; and more than two have too little to do at this size.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice, pairwise

import numpy as np
from numpy._core._multiarray_umath import (  # type: ignore[import-not-found]  # no public name
    __cpu_features__ as cpu_features,
)
from numpy.typing import NDArray

from common.arrays import Split
from common.command_line import gc_disabled
from common.config import TrainParams
from common.model import Weights
from stages.train.batches import batches

ENVIRONMENT = {
    "XLA_FLAGS": "--xla_cpu_enable_platform_dependent_math=false --xla_cpu_max_isa=AVX2",
    # At this size a GPU costs start-up and wins nothing, and its sums differ.
    "CUDA_VISIBLE_DEVICES": "-1",
    # Half of what TensorFlow imports is Keras; so it is left until it is used, which is never.
    "TF_USE_LEGACY_KERAS": "1",
    # What is left of it would read ~/.keras/keras.json, and make it.
    "KERAS_HOME": os.devnull,
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # It would choose other kernels, whose sums differ; ours are the same without it.
    "TF_DETERMINISTIC_OPS": "0",
    "TF_XLA_FLAGS": "",
    "TF_ENABLED_DEVICE_TYPES": "",
}


@contextmanager
def _silence() -> Iterator[None]:
    """Hold back what libraries print while they start, and show it only if they fail."""
    with tempfile.TemporaryFile() as held_back:
        stderr = os.dup(2)
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except BaseException:
            held_back.seek(0)
            os.write(stderr, held_back.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


# Set here, not left to the user's shell, for the result depends on it; and TensorFlow reads it
# when it is imported.
os.environ.update(ENVIRONMENT)
with _silence(), gc_disabled():
    import tensorflow as tf
    from tensorflow.compiler.tf2xla.python import xla
tf.config.threading.set_intra_op_parallelism_threads(2)

# What XLA's code for AVX2 consists of; a processor without it, or one that is not x86-64, is told.
IS_REPRODUCIBLE = all(cpu_features.get(feature) for feature in ("AVX2", "FMA3"))
# Long enough that a call's own cost is nothing, short enough that progress is seen.
ITERATIONS_PER_CALL = 100


@tf.custom_gradient  # type: ignore[untyped-decorator]
def multiply(
    values: tf.Tensor, weights: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    """Multiply two matrices so that neither the product nor its gradient depends on the processor.

    Parameters
    ----------
    values : Tensor of float32, shape (n, inputs)
    weights : Tensor of float32, shape (inputs, units)

    Returns
    -------
    Tensor of float32, shape (n, units)
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # The barrier keeps XLA from folding the transposition into the product again.
        (transposed,) = xla.optimization_barrier(tf.transpose(values))
        return tf.matmul(upstream, weights, transpose_b=True), tf.matmul(transposed, upstream)

    return tf.matmul(values, weights), gradient


def logits(weights: list[tf.Tensor], images: tf.Tensor) -> tf.Tensor:
    """Give the score of each class: ReLU layers, and a linear one at the end.

    Parameters
    ----------
    weights : list of Tensor of float32
        ``W1`` (pixels, units), ``b1`` (units,), ``W2`` and so on.
    images : Tensor of uint8, shape (n, pixels)

    Returns
    -------
    Tensor of float32, shape (n, classes)
    """
    values = tf.cast(images, tf.float32) / 255
    *hidden, (last, last_bias) = zip(weights[::2], weights[1::2], strict=True)
    for layer, bias in hidden:
        values = tf.nn.relu(multiply(values, layer) + bias)
    return multiply(values, last) + last_bias


def cost(weights: list[tf.Tensor], images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Give the mean softmax cross entropy of a batch, in nats; labels are int32 (n,)."""
    scores = logits(weights, images)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores)
    return tf.reduce_mean(losses)


def initial_weights(widths: list[int], random: np.random.Generator) -> Weights:
    """Draw the first weights: Xavier's uniform distribution, and zero for the biases.

    Parameters
    ----------
    widths
        The number of pixels, of units in each hidden layer, and of classes.
    random
        What they are drawn from.

    References
    ----------
    X. Glorot and Y. Bengio: Understanding the difficulty of training deep feedforward neural
    networks. AISTATS 2010, equation 16.
    """
    weights: dict[str, NDArray[np.float32]] = {}
    for layer, (inputs, units) in enumerate(pairwise(widths), start=1):
        limit = np.sqrt(6 / (inputs + units))
        weights[f"W{layer}"] = random.uniform(-limit, limit, (inputs, units)).astype(np.float32)
        weights[f"b{layer}"] = np.zeros(units, np.float32)
    return weights


class Trainer:
    """A network that learns a dataset.

    The images stay in TensorFlow as they are, and each call of the compiled program takes its
    batches by their indices, makes up to `ITERATIONS_PER_CALL` iterations and returns their costs.

    Parameters
    ----------
    settings
        The shape of the network, the batches, and Adam.
    examples
        What is learned.
    classes
        How many labels there are.
    """

    def __init__(self, settings: TrainParams, examples: Split, classes: int) -> None:
        self._widths = [examples.images.shape[1], *settings.hidden_units, classes]
        self._images = tf.constant(examples.images)
        self._labels = tf.constant(examples.labels, tf.int32)
        shapes = [shape for pair in pairwise(self._widths) for shape in (pair, pair[1:])]
        self._weights, self._means, self._squares = (
            [tf.Variable(tf.zeros(shape)) for shape in shapes] for _ in range(3)
        )
        # What Adam is told, and its powers of beta: variables, so that another value needs no
        # other program.
        names = ("learning_rate", "beta_1", "beta_2", "epsilon", "beta_1_power", "beta_2_power")
        self._adam = {name: tf.Variable(0.0) for name in names}
        self.reset(settings)

    def reset(self, settings: TrainParams) -> None:
        """Begin anew, with other settings but the same shape of network and batches.

        The compiled program is kept, so that many trainings cost one compilation.
        """
        for_weights, for_batches = np.random.SeedSequence(settings.seed).spawn(2)
        first = initial_weights(self._widths, np.random.default_rng(for_weights))
        for variable, values in zip(self._weights, first.values(), strict=True):
            variable.assign(values)
        for variable in (*self._means, *self._squares):
            variable.assign(tf.zeros_like(variable))
        for name in ("learning_rate", "beta_1", "beta_2", "epsilon"):
            self._adam[name].assign(getattr(settings, name))
        self._adam["beta_1_power"].assign(settings.beta_1)
        self._adam["beta_2_power"].assign(settings.beta_2)
        order = np.random.default_rng(for_batches)
        self._batches = batches(len(self._labels), settings.batch_size, order)

    def train(self, iterations: int) -> Iterator[NDArray[np.float32]]:
        """Train, and give the batch costs as they come.

        Parameters
        ----------
        iterations
            How many more; the program is the same for any number.

        Yields
        ------
        ndarray of float32
            The costs of the next iterations, at most `ITERATIONS_PER_CALL` of them.
        """
        for done in range(0, iterations, ITERATIONS_PER_CALL):
            count = min(ITERATIONS_PER_CALL, iterations - done)
            drawn = np.stack(list(islice(self._batches, count)))
            rest = np.zeros((ITERATIONS_PER_CALL - count, drawn.shape[1]), np.int32)
            drawn = tf.constant(np.concatenate([drawn, rest]))
            yield self._train_steps(drawn, tf.constant(count)).numpy()[:count]

    def weights(self) -> Weights:
        """Give the weights as they are now, ``W1``, ``b1``, ``W2`` and so on, float32."""
        names = [f"{kind}{layer}" for layer in range(1, len(self._widths)) for kind in "Wb"]
        return {name: variable.numpy() for name, variable in zip(names, self._weights, strict=True)}

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def _train_steps(self, drawn: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        costs = tf.zeros(ITERATIONS_PER_CALL)
        for iteration in tf.range(count):
            batch_cost = self._train_step(drawn[iteration])
            costs = tf.tensor_scatter_nd_update(costs, [[iteration]], [batch_cost])
        return costs

    def _train_step(self, batch: tf.Tensor) -> tf.Tensor:
        """Make one step of Adam, and give the cost before it."""
        images, labels = tf.gather(self._images, batch), tf.gather(self._labels, batch)
        with tf.GradientTape() as tape:
            batch_cost = cost(self._weights, images, labels)
        gradients = tape.gradient(batch_cost, self._weights)
        adam = self._adam
        for weight, mean, square, gradient in zip(
            self._weights, self._means, self._squares, gradients, strict=True
        ):
            tf.raw_ops.ResourceApplyAdam(
                var=weight.handle,
                m=mean.handle,
                v=square.handle,
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
