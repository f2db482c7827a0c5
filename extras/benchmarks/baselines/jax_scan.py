"""JAX: Optax's Adam, and the loop over batches as one compiled ``scan``."""

import math
from functools import partial
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from extras.benchmarks.baselines.task import Task, Training


def logits(weights: Any, features: Any) -> Any:
    """Return the logits of each class."""
    *hidden, (matrix, bias) = weights
    for hidden_matrix, hidden_bias in hidden:
        features = jax.nn.relu(features @ hidden_matrix + hidden_bias)
    return features @ matrix + bias


def train(task: Task) -> Training:
    """Scan over the batches' indices; weights and Adam's state are carried along."""
    features, labels = jnp.asarray(task.features), jnp.asarray(task.labels)
    params = task.adam
    adam = optax.adam(params.learning_rate, params.beta_1, params.beta_2, params.epsilon)

    def cost(weights: Any, batch: Any) -> Any:
        scores = logits(weights, features[batch])
        return optax.softmax_cross_entropy_with_integer_labels(scores, labels[batch]).mean()

    def step(state: Any, batch: Any) -> Any:
        weights, moments = state
        batch_cost, gradients = jax.value_and_grad(cost)(weights, batch)
        updates, moments = adam.update(gradients, moments)
        return (optax.apply_updates(weights, updates), moments), batch_cost

    @partial(jax.jit, donate_argnums=0)
    def steps(state: Any, batches: Any) -> Any:
        return jax.lax.scan(step, state, batches)

    weights = jax.tree.map(jnp.asarray, task.layers())
    state, batches = (weights, adam.init(weights)), task.batches()
    # One number for all calls, because each other number would be compiled again.
    iterations_per_call = math.gcd(*task.sections)
    for iterations in task.sections:
        for _ in range(iterations // iterations_per_call):
            indices = np.stack(list(islice(batches, iterations_per_call)))
            state, costs = steps(state, indices)
            np.asarray(costs)
        jax.block_until_ready(state)
        yield None
    yield np.asarray(logits(state[0], task.test_features).argmax(axis=1))
