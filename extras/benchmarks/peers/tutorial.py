"""The tutorial's own way: a graph, a session, and a batch fed in each iteration.

    python -m extras.benchmarks.peers.tutorial data/flat 1000 10000

TensorFlow 1 as TensorFlow 2 still has it. The batches come from NumPy, as the tutorial's
``next_batch`` did it; here only the rows of a batch are copied, which is less work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf
from numpy.typing import NDArray

from extras.benchmarks.peers import contest
from stages.train.batches import batches

tf.disable_v2_behavior()
tf.logging.set_verbosity(tf.logging.ERROR)


def train(
    images: NDArray[Any], labels: NDArray[Any], stops: Sequence[int]
) -> Iterator[contest.Predict]:
    """Build the graph, and run it once an iteration."""
    one_hot = np.eye(contest.CLASSES, dtype=np.float32)[labels]
    pixels = tf.placeholder(tf.float32, [None, images.shape[1]])
    answers = tf.placeholder(tf.float32, [None, contest.CLASSES])
    widths = [images.shape[1], *contest.HIDDEN_UNITS, contest.CLASSES]
    values = pixels
    for layer, (inputs, units) in enumerate(pairwise(widths), start=1):
        weights = tf.get_variable(
            f"W{layer}", [inputs, units], initializer=tf.glorot_uniform_initializer()
        )
        bias = tf.get_variable(f"b{layer}", [units], initializer=tf.zeros_initializer())
        scores = tf.matmul(values, weights) + bias
        values = tf.nn.relu(scores)
    cost = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(logits=scores, labels=answers))
    trainer = tf.train.AdamOptimizer(contest.LEARNING_RATE).minimize(cost)
    predicted = tf.argmax(scores, 1)
    drawn = batches(len(images), contest.BATCH_SIZE, np.random.default_rng(0))
    costs = []
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    for iterations in contest.sections(stops):
        for _ in range(iterations):
            rows = next(drawn)
            fed = {pixels: images[rows], answers: one_hot[rows]}
            _, batch_cost = session.run([trainer, cost], fed)
            costs.append(batch_cost)
        yield lambda images: session.run(predicted, {pixels: images})


def main() -> None:
    """Read the arguments and train."""
    arguments = contest.argument_parser("tutorial", __doc__).parse_args()
    contest.run(train, arguments.flat, arguments.stops, package="tensorflow")


if __name__ == "__main__":
    main()
