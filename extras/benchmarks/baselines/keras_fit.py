"""Keras: a Sequential model and ``fit`` over arrays, compiled with XLA as Keras does by itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import keras
import numpy as np

from extras.benchmarks.baselines.task import Predict, Task


def compiled_model(task: Task, steps_per_execution: int = 1) -> keras.Model:
    """Return the model, ready to be trained."""
    params = task.params
    relu = [keras.layers.Dense(units, activation="relu") for units in task.model.hidden_units]
    model = keras.Sequential(
        [keras.Input(task.features.shape[1:]), *relu, keras.layers.Dense(task.classes)]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(
            params.learning_rate, params.beta_1, params.beta_2, params.epsilon
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=steps_per_execution,
    )
    return model


def train(task: Task, steps_per_execution: int = 1) -> Iterator[Predict]:
    """Fit whole epochs, and then what is left of the iterations."""
    model = compiled_model(task, steps_per_execution)
    batch_size = task.params.batch_size
    iterations_per_epoch = -(-len(task.labels) // batch_size)
    fit = partial(model.fit, task.features, task.labels, batch_size=batch_size, verbose=0)
    for iterations in task.sections:
        epochs, rest = divmod(iterations, iterations_per_epoch)
        if epochs:
            fit(epochs=epochs)
        if rest:
            fit(steps_per_epoch=rest)
        yield lambda features: np.argmax(model.predict(features, verbose=0), axis=1)


hundred_steps_per_call = partial(train, steps_per_execution=100)
