"""Train models of several shapes for a few iterations, and print the bytes of each as SHA-256.

    python -m extras.portability.train_shapes 64:784:128,64:10 32:30:16:2

A shape is the size of a batch, the number of features, the units of each hidden layer, and the
number of classes.
"""

import hashlib
from itertools import chain

import numpy as np

from common.config import load_config
from common.model import ModelParams
from common.splits import Split
from stages.train.trainer import Trainer
from support.command_line import argument_parser, echo, run

ITERATIONS = 3
EXAMPLES = 2048


def digests(shape: str) -> tuple[str, str]:
    """Return the SHA-256 of the weights and of the costs of a model trained on random examples."""
    batch, features, hidden, classes = shape.split(":")
    random = np.random.default_rng(0)
    labels = random.integers(int(classes), size=EXAMPLES).astype(np.uint8)
    pixels = random.integers(256, size=(EXAMPLES, int(features))).astype(np.uint8)
    model = ModelParams(hidden_units=tuple(map(int, hidden.split(","))))
    params = load_config().train.model_copy(update={"batch_size": int(batch)})
    trainer = Trainer(model, params, ITERATIONS, Split(pixels, labels), int(classes))
    costs = np.concatenate(list(trainer.train(ITERATIONS)))
    weights = b"".join(array.tobytes() for array in trainer.weights().values())
    return hashlib.sha256(weights).hexdigest(), hashlib.sha256(costs.tobytes()).hexdigest()


def main() -> None:
    parser = argument_parser("extras.portability.train_shapes", __doc__)
    parser.add_argument("shapes", nargs="+", metavar="SHAPE")
    for shape in parser.parse_args().shapes:
        echo(" ".join(chain([shape], digests(shape))))


if __name__ == "__main__":
    run(main)
