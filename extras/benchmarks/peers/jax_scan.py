"""JAX: Optax's Adam, and the loop over batches as one compiled ``scan``.

    python -m extras.benchmarks.peers.jax_scan data/flat 1000 10000

A thousand iterations a call, or fewer: for another number it would compile anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice, pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from extras.benchmarks.peers import contest
from stages.train.batches import batches

ITERATIONS_PER_CALL = 1000


def scores(weights: Any, images: Any) -> Any:
    """Give the score of each class."""
    *hidden, (last, last_bias) = weights
    for layer, bias in hidden:
        images = jax.nn.relu(images @ layer + bias)
    return images @ last + last_bias


def train(
    images: NDArray[Any], labels: NDArray[Any], stops: Sequence[int]
) -> Iterator[contest.Predict]:
    """Scan over the batches' indices, with weights and optimizer as what is carried."""
    pixels, answers = jnp.asarray(images), jnp.asarray(labels)
    adam = optax.adam(contest.LEARNING_RATE)

    def cost(weights: Any, rows: Any) -> Any:
        given = scores(weights, pixels[rows])
        return optax.softmax_cross_entropy_with_integer_labels(given, answers[rows]).mean()

    def step(state: Any, rows: Any) -> Any:
        weights, moments = state
        batch_cost, gradients = jax.value_and_grad(cost)(weights, rows)
        updates, moments = adam.update(gradients, moments)
        return (optax.apply_updates(weights, updates), moments), batch_cost

    @partial(jax.jit, donate_argnums=0)
    def learn(state: Any, rows: Any) -> Any:
        return jax.lax.scan(step, state, rows)

    random = np.random.default_rng(0)
    widths = [images.shape[1], *contest.HIDDEN_UNITS, contest.CLASSES]
    weights = [
        (jnp.asarray(contest.xavier(inputs, units, random)), jnp.zeros(units))
        for inputs, units in pairwise(widths)
    ]
    state = (weights, adam.init(weights))
    drawn = batches(len(images), contest.BATCH_SIZE, random)
    a_call = math.gcd(ITERATIONS_PER_CALL, *stops)
    costs = []
    for iterations in contest.sections(stops):
        for _ in range(iterations // a_call):
            state, some = learn(state, np.stack(list(islice(drawn, a_call))))
            costs.append(np.asarray(some))
        jax.block_until_ready(state)
        yield partial(_predict, state[0])


def _predict(weights: Any, images: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(scores(weights, images).argmax(axis=1))


def main() -> None:
    """Read the arguments and train."""
    arguments = contest.argument_parser("jax_scan", __doc__).parse_args()
    contest.run(train, arguments.flat, arguments.stops, package="jax")


if __name__ == "__main__":
    main()
