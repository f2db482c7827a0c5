"""What one would write instead of this project: Keras, and MLflow logging by itself.

    python -m extras.benchmarks.peers.keras_autolog data/flat 10000

Every cost is logged, as this project tracks every cost. MLflow's store is made in the working
directory. Two things are needed: TensorBoard, or ``fit`` fails; and ``log_datasets=False``, for
MLflow would read a repeated dataset to its end, which it has not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import mlflow
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from extras.benchmarks.peers import contest
from extras.benchmarks.peers.keras_fit import model


def train(
    images: NDArray[Any], labels: NDArray[Any], stops: Sequence[int]
) -> Iterator[contest.Predict]:
    """Fit a repeated dataset, so that the iterations are one run of MLflow."""
    (iterations,) = stops
    mlflow.set_experiment("mnist")
    mlflow.tensorflow.autolog(log_datasets=False, log_every_epoch=False, log_every_n_steps=1)
    examples = tf.data.Dataset.from_tensor_slices((images, labels))
    shuffled = examples.shuffle(len(images)).repeat().batch(contest.BATCH_SIZE).prefetch(2)
    network = model()
    with mlflow.start_run():
        network.fit(shuffled, steps_per_epoch=iterations, verbose=0)
    yield lambda images: np.argmax(network.predict(images, verbose=0), axis=1)


def main() -> None:
    """Read the arguments and train."""
    arguments = contest.argument_parser("keras_autolog", __doc__).parse_args()
    contest.run(train, arguments.flat, arguments.stops, package="mlflow")


if __name__ == "__main__":
    main()
