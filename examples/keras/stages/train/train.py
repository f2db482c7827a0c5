"""Train the model with Keras, on all devices of the machine.

ADAPT: another optimizer, schedule, cost or callback is a line of `train`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from common.arrays import save_arrays
from common.config import PARAMS, Config
from common.model import TrainParams, build, image_shape
from common.results import TrainingSummary
from common.splits import Split
from stages.train.checkpoint import load_checkpoint, save_checkpoint
from stages.train.reporter import Reporter
from support.command_line import InputError, echo
from support.files import atomic_write

# The modules that AutoGraph makes would leave their bytecode in the folder for temporary files.
sys.dont_write_bytecode = True


def train(
    config: Config,
    iterations: int,
    splits: Mapping[str, Split],
    classes: int,
    model: Path,
    reporter: Reporter,
    checkpoint: Path,
) -> TrainingSummary:
    """Train, and write the model's files; an interrupted training resumes.

    Parameters
    ----------
    splits
        At least ``train`` and ``validation``.
    model
        The folder for the model.
    checkpoint
        Where the state of a complete training is kept; that of an unfinished one is beside it.
    """
    params, validation = config.train, splits["validation"]
    if len(params.class_weights) not in (0, classes):
        raise InputError(f"{PARAMS}: train.class_weights: should be none or {classes} weights")
    devices, reporter.device = find_devices()
    keras.backend.clear_session()  # Keras numbers layers by what was built before
    keras.utils.set_random_seed(params.seed)
    rising = int(params.warm_up * iterations)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, iterations - rising, warmup_target=params.learning_rate, warmup_steps=rising
    )
    with tf.distribute.MirroredStrategy(devices).scope():
        network = build(config.model, splits["train"].features, classes)
        network.compile(
            optimizer=keras.optimizers.Adam(schedule),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
    stopping = keras.callbacks.EarlyStopping(
        "val_loss", patience=params.patience, restore_best_weights=True
    )
    # The state depends on the number of iterations, because the schedule does.
    backup = Backup(checkpoint.with_suffix(f".{iterations}"), iterations, reporter, stopping)
    network.fit(
        batches(splits["train"], params, start=len(backup.state["costs"])),
        validation_data=(validation.features, validation.labels),
        epochs=-(-iterations // params.validate_every_iterations),
        steps_per_epoch=params.validate_every_iterations,
        class_weight=dict(enumerate(params.class_weights)) or None,
        callbacks=[stopping, backup],
        shuffle=False,  # `batches` does that, and the reporter prints
        verbose=0,
    )
    save_checkpoint(checkpoint, reporter.state())
    save_model(model, network)
    best = min((stopping.best_epoch + 1) * params.validate_every_iterations, iterations)
    return TrainingSummary(iterations=reporter.iterations, description=describe(params, best))


def save_model(folder: Path, network: Any) -> None:
    """Write configuration and weights, both without the date that a .keras file holds."""
    configuration = json.loads(network.to_json()) | {"compile_config": {}}  # only for training
    atomic_write(folder / "network.json", json.dumps(configuration, indent=1).encode() + b"\n")
    weights = {one.path.partition("/")[2]: one.numpy() for one in network.weights}
    save_arrays(folder / "weights.npz", weights)


def find_devices() -> tuple[list[str], str]:
    """Return the devices that compute, and what they are; print that, and why no GPU is used."""
    if devices := tf.config.list_logical_devices("GPU"):
        description, reason = f"GPU x {len(devices)}", "all that TensorFlow finds"
    else:
        devices = tf.config.list_logical_devices("CPU")
        description, reason = f"CPU, {os.cpu_count()} threads", "no GPU: TensorFlow says above why"
        if not tf.test.is_built_with_cuda():
            reason = "no GPU: stages/train/requirements.txt names a TensorFlow for CPUs only"
    echo(f"trains on {description} ({reason})")
    return [device.name for device in devices], description


def batches(examples: Split, params: TrainParams, start: int) -> tf.data.Dataset:
    """Return the batches from an iteration on, without end, in a new order in each epoch."""
    rows, columns, channels = image_shape(examples.features)
    most = params.shift

    def shift(iteration: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> Any:
        """Shift each image by whole pixels; what is random depends on the iteration only."""
        features, labels = batch
        images = tf.reshape(features, (-1, rows, columns, channels))
        images = tf.pad(images, ((0, 0), (most, most), (most, most), (0, 0)))
        shape, seed = (2, tf.shape(images)[0], 1), (params.seed, iteration)
        offsets = tf.random.stateless_uniform(shape, seed, 0, 2 * most + 1, tf.int32)
        images = tf.gather(images, offsets[0] + tf.range(rows), axis=1, batch_dims=1)
        images = tf.gather(images, offsets[1] + tf.range(columns), axis=2, batch_dims=1)
        return tf.reshape(images, tf.shape(features)), labels

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        """Return all examples, in an order that depends on the number only."""
        return data.shuffle(len(examples), params.seed + number, reshuffle_each_iteration=False)

    data = tf.data.Dataset.from_tensor_slices((examples.features, examples.labels))
    order = tf.data.Dataset.counter().flat_map(epoch).batch(params.batch_size)
    numbered = tf.data.Dataset.zip(tf.data.Dataset.counter(), order).skip(start)
    return numbered.map(shift, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def describe(params: TrainParams, best: int) -> str:
    """Return how the model is trained, in a sentence for the model card and MLflow."""
    settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in params)
    return (
        "Adam, with a warm-up and a cosine schedule, minimises the mean softmax cross entropy of "
        f"shifted images ({settings}); the weights are those with the lowest validation cost, "
        f"after {best:,} iterations."
    )


class Backup(keras.callbacks.BackupAndRestore):  # type: ignore[misc]  # Keras has no types
    """Reports, and restores what Keras does not: reports, best weights, and random states."""

    def __init__(
        self,
        folder: Path,
        iterations: int,
        reporter: Reporter,
        stopping: keras.callbacks.EarlyStopping,
    ) -> None:
        super().__init__(folder, double_checkpoint=True)
        self.path, self.iterations = folder / "state.npz", iterations
        self.reporter, self.stopping = reporter, stopping
        self.state = load_checkpoint(self.path, iterations) or {"costs": np.empty(0)}
        if not len(self.state["costs"]):
            shutil.rmtree(folder, ignore_errors=True)

    def on_train_begin(self, logs: Any = None) -> None:
        """Restore; Keras may have been killed before it saved the last epoch that was reported."""
        try:
            super().on_train_begin(logs)
        except OSError as error:
            echo(f"not used: {error}")
        if done := int(self.model.optimizer.iterations.numpy()):
            rows = self.state["value_iterations"] <= done
            names = ("value_iterations", "value_names", "values")
            values = {name: self.state[name][rows] for name in names}
            self.reporter.restore({"costs": self.state["costs"][:done]} | values)
            self.stopping.best, wait, epoch = self.state["stopping"].tolist()
            self.stopping.wait, self.stopping.best_epoch = int(wait), int(epoch)
            self.stopping.best_weights = self._arrays("best_weights")
            for variable, array in zip(self._random(), self._arrays("random"), strict=True):
                variable.assign(array)
            echo(f"goes on after {done:,} iterations")

    def on_train_batch_begin(self, *_: Any, **__: Any) -> None:
        """Have Keras return the cost of each batch, and not the mean of several."""
        self.model.reset_metrics()

    def on_train_batch_end(self, _: int, logs: Any = None) -> None:
        """Report the cost; the last epoch may be shorter than others."""
        self.reporter.add_costs(np.array([logs["loss"]], np.float32))
        self.model.stop_training = self.reporter.iterations == self.iterations

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Report the validation, and save."""
        self.reporter.add_value("validation accuracy", logs["val_accuracy"])
        self.reporter.add_value("validation cost", logs["val_loss"], log=False)
        rate = float(self.model.optimizer.learning_rate)
        self.reporter.add_value("learning rate", rate, log=False)
        stopping = self.stopping
        state = {"stopping": np.array([stopping.best, stopping.wait, stopping.best_epoch])}
        lists = {"best_weights": stopping.best_weights, "random": self._random()}
        for name, arrays in lists.items():
            state |= {f"{name}.{row}": np.array(array) for row, array in enumerate(arrays)}
        save_checkpoint(self.path, self.reporter.state() | state)
        super().on_epoch_end(epoch, logs)

    def _arrays(self, name: str) -> list[Any]:
        return [array for key, array in self.state.items() if key.startswith(f"{name}.")]

    def _random(self) -> list[Any]:
        return [one for one in self.model.variables if one.path.endswith("seed_generator_state")]
