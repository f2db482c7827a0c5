"""Keras: a Sequential model and ``fit``, compiled with XLA as is Keras's default."""

import os
import tempfile
from functools import partial

import keras
import numpy as np

from extras.benchmarks.baselines.task import Task, Training


def compiled_model(task: Task) -> keras.Model:
    """Return the model, ready to be trained."""
    adam = task.adam
    widths = [len(bias) for _, bias in task.layers()[:-1]]
    hidden = [keras.layers.Dense(units, activation="relu") for units in widths]
    model = keras.Sequential(
        [keras.Input(task.features.shape[1:]), *hidden, keras.layers.Dense(task.classes)]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(adam.learning_rate, adam.beta_1, adam.beta_2, adam.epsilon),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def train(task: Task) -> Training:
    """Fit whole epochs of arrays, and then the remaining iterations."""
    model, batch_size = compiled_model(task), task.adam.batch_size
    iterations_per_epoch = -(-len(task.labels) // batch_size)
    fit = partial(model.fit, task.features, task.labels, batch_size=batch_size, verbose=0)
    for iterations in task.sections:
        epochs, rest = divmod(iterations, iterations_per_epoch)
        if epochs:
            fit(epochs=epochs)
        if rest:
            fit(steps_per_epoch=rest)
        yield None
    yield np.argmax(model.predict(task.test_features, verbose=0), axis=1)


def with_autologging(task: Task) -> Training:
    """Train with MLflow's autologging: the script that would replace this project.

    Every cost is logged, as this project tracks every cost. Two things are needed: TensorBoard,
    or ``fit`` fails; and ``log_datasets=False``, because MLflow would read the repeated dataset
    to its end, and it has none. All iterations are one run of MLflow.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import mlflow
    import tensorflow as tf

    (iterations,) = task.sections
    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.create_experiment("mnist", f"file://{folder}/mlartifacts")
        mlflow.set_experiment("mnist")
        mlflow.tensorflow.autolog(log_datasets=False, log_every_epoch=False, log_every_n_steps=1)
        examples = tf.data.Dataset.from_tensor_slices((task.features, task.labels))
        shuffled = examples.shuffle(len(task.labels)).repeat().batch(task.adam.batch_size)
        model = compiled_model(task)
        with mlflow.start_run():
            model.fit(shuffled.prefetch(2), steps_per_epoch=iterations, verbose=0)
        yield None
        yield np.argmax(model.predict(task.test_features, verbose=0), axis=1)
