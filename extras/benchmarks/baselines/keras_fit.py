"""Keras: a Sequential model and ``fit``, compiled with XLA as is Keras's default."""

import os
import tempfile
from functools import partial
from typing import Any

import keras

from extras.benchmarks.baselines import Task


def compiled_model(task: Task) -> keras.Model:
    """Return the model, ready to be trained."""
    *widths, classes = (len(bias) for _, bias in task.layers())
    hidden = [keras.layers.Dense(units, activation="relu") for units in widths]
    model = keras.Sequential([*hidden, keras.layers.Dense(classes)])
    cost = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(*task.adam), loss=cost)
    return model


def train(task: Task) -> Any:
    """Fit whole epochs of arrays, and then the remaining iterations."""
    model, batch_size = compiled_model(task), task.config.train.batch_size
    fit = partial(model.fit, task.train.features, task.train.labels, batch_size, verbose=0)
    for batches in task.sections():
        epochs, rest = divmod(len(batches), -(-len(task.train) // batch_size))
        if epochs:
            fit(epochs=epochs)
        if rest:
            fit(steps_per_epoch=rest)
    return model.predict(task.test.features, verbose=0).argmax(axis=1)


def with_autologging(task: Task) -> Any:
    """Train with MLflow's autologging of every cost: the script that would replace this project.

    Without TensorBoard ``fit`` fails. Without ``log_datasets=False`` MLflow would read the repeated
    dataset to its end, and it has none. All iterations are one run of MLflow.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import mlflow
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.create_experiment("mnist", f"file://{folder}/mlartifacts")
        mlflow.set_experiment("mnist")
        mlflow.tensorflow.autolog(log_datasets=False, log_every_epoch=False, log_every_n_steps=1)
        examples = tf.data.Dataset.from_tensor_slices((task.train.features, task.train.labels))
        shuffled = examples.shuffle(len(task.train)).repeat().batch(task.config.train.batch_size)
        model = compiled_model(task)
        for batches in task.sections():
            with mlflow.start_run():
                model.fit(shuffled.prefetch(2), steps_per_epoch=len(batches), verbose=0)
        return model.predict(task.test.features, verbose=0).argmax(axis=1)
