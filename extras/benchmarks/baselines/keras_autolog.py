"""What one would write instead of this project: Keras, and MLflow logging by itself.

Every cost is logged, as this project tracks every cost. Two things are needed: TensorBoard, or
``fit`` fails; and ``log_datasets=False``, because MLflow would read a repeated dataset to its end,
which it does not have.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import mlflow
import numpy as np
import tensorflow as tf

from extras.benchmarks.baselines.keras_fit import compiled_model
from extras.benchmarks.baselines.task import Predict, Task


def train(task: Task) -> Iterator[Predict]:
    """Fit a repeated dataset, so that all iterations are one run of MLflow."""
    (iterations,) = task.stops
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.create_experiment("mnist", f"file://{folder}/mlartifacts")
        mlflow.set_experiment("mnist")
        mlflow.tensorflow.autolog(log_datasets=False, log_every_epoch=False, log_every_n_steps=1)
        examples = tf.data.Dataset.from_tensor_slices((task.features, task.labels))
        shuffled = examples.shuffle(len(task.labels)).repeat().batch(task.params.batch_size)
        network = compiled_model(task)
        with mlflow.start_run():
            network.fit(shuffled.prefetch(2), steps_per_epoch=iterations, verbose=0)
        yield lambda features: np.argmax(network.predict(features, verbose=0), axis=1)
