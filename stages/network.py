"""The network in training: its weights, its cost, and Adam, compiled into one program.

The only module that imports TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stages.arrays import Examples
from stages.batches import batches
from stages.inference import Weights
from stages.settings import Train

# Keras is half of what TensorFlow imports, and is not needed: this defers it for good.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# At this size a GPU only costs start-up, and its sums differ in their last digits.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import tensorflow as tf

ITERATIONS_A_CALL = 100


def initial_weights(
    sizes: list[int], random: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    weights = {}
    for layer, (inputs, units) in enumerate(zip(sizes, sizes[1:]), 1):
        limit = np.sqrt(6 / (inputs + units))
        weights[f"W{layer}"] = random.uniform(-limit, limit, (inputs, units)).astype(np.float32)
        weights[f"b{layer}"] = np.zeros(units, np.float32)
    return weights


class Training:
    def __init__(self, settings: Train, examples: Examples, classes: int) -> None:
        self.settings = settings
        first, order = (
            np.random.default_rng(s) for s in np.random.SeedSequence(settings.seed).spawn(2)
        )
        sizes = [examples.images.shape[1], *settings.hidden_units, classes]
        self.names = []
        weights = initial_weights(sizes, first)
        self.names = list(weights)
        self.x = tf.constant(examples.images)
        self.y = tf.constant(examples.labels.astype(np.int32))
        self.v = [tf.Variable(a) for a in weights.values()]
        self.m = [tf.Variable(tf.zeros_like(a)) for a in self.v]
        self.u = [tf.Variable(tf.zeros_like(a)) for a in self.v]
        self.p1 = tf.Variable(np.float32(settings.beta_1))
        self.p2 = tf.Variable(np.float32(settings.beta_2))
        self.batches = batches(len(examples), settings.batch_size, order)
        self.f = tf.function(self._run, jit_compile=True)

    def _cost(self, x, y):
        n = len(self.v) // 2
        for i in range(n):
            x = tf.matmul(x, self.v[2 * i]) + self.v[2 * i + 1]
            if i < n - 1:
                x = tf.nn.relu(x)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=x))

    def _run(self, idx, count):
        s = self.settings
        costs = tf.zeros(ITERATIONS_A_CALL)
        for i in tf.range(count):
            j = idx[i]
            x = tf.cast(tf.gather(self.x, j), tf.float32) / 255
            y = tf.gather(self.y, j)
            with tf.GradientTape() as t:
                c = self._cost(x, y)
            g = t.gradient(c, self.v)
            for v, m, u, gg in zip(self.v, self.m, self.u, g):
                tf.raw_ops.ResourceApplyAdam(
                    var=v.handle,
                    m=m.handle,
                    v=u.handle,
                    beta1_power=self.p1,
                    beta2_power=self.p2,
                    lr=s.learning_rate,
                    beta1=s.beta_1,
                    beta2=s.beta_2,
                    epsilon=s.epsilon,
                    grad=gg,
                )
            self.p1.assign(self.p1 * s.beta_1)
            self.p2.assign(self.p2 * s.beta_2)
            costs = tf.tensor_scatter_nd_update(costs, [[i]], [c])
        return costs

    def costs(self, iterations: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        for done in range(0, iterations, ITERATIONS_A_CALL):
            count = min(ITERATIONS_A_CALL, iterations - done)
            idx = np.zeros((ITERATIONS_A_CALL, self.settings.batch_size), np.int32)
            for row, batch in zip(range(count), self.batches):
                idx[row] = batch
            yield done, self.f(tf.constant(idx), tf.constant(count)).numpy()[:count]

    def weights(self) -> Weights:
        return {name: v.numpy() for name, v in zip(self.names, self.v)}
