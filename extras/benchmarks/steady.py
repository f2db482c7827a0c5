"""Time an iteration of the training against what the machine's arithmetic allows.

    python -m extras.benchmarks.steady data/flat

In one process and in turn: products of two 2048 x 2048 matrices of float32, and iterations after
the first thousand. The limit is the time that the matrix products of one iteration would take at
the rate of the large one. It prints the median of both as JSON, in seconds.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter

from common import arrays
from common.command_line import argument_parser
from common.config import load_config
from stages.train.network import Trainer

SIZE = 2048
PRODUCTS, ITERATIONS = 4, 1000


def operations(widths: list[int], batch_size: int) -> int:
    """Count the multiplications and additions in an iteration's matrix products.

    A layer has three: the scores, and the gradients of its weights and of its input; the first
    layer's input needs none.
    """
    sizes = [inputs * units for inputs, units in pairwise(widths)]
    return 2 * batch_size * (3 * sum(sizes) - sizes[0])


def main() -> None:
    """Read the argument, warm up, and measure in turn."""
    parser = argument_parser("extras.benchmarks.steady", __doc__)
    parser.add_argument("flat", type=Path, help="where the arrays are: data/flat")
    parser.add_argument("--pairs", type=int, default=7, help="how often each is measured: 7")
    arguments = parser.parse_args()
    config = load_config()
    examples = arrays.load_split(arguments.flat / "train.npz")
    training = Trainer(config.train, examples, len(config.dataset.classes))
    # After stages.train.network, which sets what TensorFlow reads when it is imported.
    import tensorflow as tf

    matrix = tf.random.stateless_uniform((SIZE, SIZE), (0, 1))

    def multiply() -> None:
        for _ in range(PRODUCTS):
            tf.matmul(matrix, matrix).numpy()

    def iterate() -> None:
        deque(training.train(ITERATIONS), maxlen=0)

    multiply()
    iterate()
    products, iterations = [], []
    for _ in range(arguments.pairs):
        start = perf_counter()
        multiply()
        middle = perf_counter()
        iterate()
        products.append((middle - start) / PRODUCTS)
        iterations.append((perf_counter() - middle) / ITERATIONS)
    widths = [examples.images.shape[1], *config.train.hidden_units, len(config.dataset.classes)]
    share = operations(widths, config.train.batch_size) / (2 * SIZE**3)
    found = {"iteration": median(iterations), "limit": share * median(products)}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
