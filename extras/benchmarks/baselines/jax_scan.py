"""JAX: Optax's Adam, and the loop over batches as one compiled ``scan``."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from extras.benchmarks.baselines import Task


def logits(weights: Any, features: Any) -> Any:
    """Return the logits of each class."""
    *hidden, (matrix, bias) = weights
    for hidden_matrix, hidden_bias in hidden:
        features = jax.nn.relu(features @ hidden_matrix + hidden_bias)
    return features @ matrix + bias


def train(task: Task) -> Any:
    """Scan over the batches' indices; weights and Adam's state are carried along."""
    features, labels = jnp.asarray(task.train.features), jnp.asarray(task.train.labels)
    adam = optax.adam(*task.adam)

    def cost(weights: Any, batch: Any) -> Any:
        scores = logits(weights, features[batch])
        return optax.softmax_cross_entropy_with_integer_labels(scores, labels[batch]).mean()

    def step(state: Any, batch: Any) -> Any:
        weights, moments = state
        batch_cost, gradients = jax.value_and_grad(cost)(weights, batch)
        updates, moments = adam.update(gradients, moments)
        return (optax.apply_updates(weights, updates), moments), batch_cost

    steps = jax.jit(partial(jax.lax.scan, step), donate_argnums=0)
    weights = jax.tree.map(jnp.asarray, task.layers())
    state = (weights, adam.init(weights))
    # One number of iterations for all calls, because each other number would be compiled again.
    iterations_per_call = math.gcd(*task.stops)
    for batches in task.sections():
        for indices in np.split(batches, len(batches) // iterations_per_call):
            state, costs = steps(state, indices)
            np.asarray(costs)
    return np.asarray(logits(state[0], task.test.features).argmax(axis=1))
