"""The project's own training."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.model import Weights, logits
from common.splits import Split
from extras.benchmarks.baselines.task import Predict, Task
from stages.train import network
from stages.train.reproducible import tf
from stages.train.trainer import Trainer

SCALED = False  # scaling is part of the project's model


def train(task: Task) -> Iterator[Predict]:
    """Train with the compiled loop."""
    examples = Split(task.features, task.labels.astype(np.uint8))
    trainer = Trainer(task.model, task.params, examples, task.classes)
    for iterations in task.sections:
        deque(trainer.train(iterations), maxlen=0)
        yield partial(_predict, trainer.weights())


def not_reproducible(task: Task) -> Iterator[Predict]:
    """Train with the same loop, in the order of sums that is fastest on this processor."""
    # XLA reads its flags when it first compiles, which is later.
    os.environ["XLA_FLAGS"] = ""
    network.matmul = tf.matmul
    return train(task)


def _predict(weights: Weights, features: NDArray[Any]) -> NDArray[Any]:
    return logits(weights, features).argmax(axis=1)
