"""The project's own training."""

import os
from collections import deque

import numpy as np

from common.inference import probabilities
from common.splits import Split
from extras.benchmarks.baselines.task import Task, Training
from stages.train import network
from stages.train.reproducible import tf
from stages.train.trainer import Trainer

SCALED = False  # scaling is part of the project's model


def train(task: Task) -> Training:
    """Train with the compiled loop."""
    examples = Split(task.features, task.labels.astype(np.uint8))
    trainer = Trainer(task.model, task.params, examples, task.classes)
    for iterations in task.sections:
        deque(trainer.train(iterations), maxlen=0)
        weights = trainer.weights()
        yield None
    yield probabilities(weights, task.test_features).argmax(axis=1)


def not_reproducible(task: Task) -> Training:
    """Train with the same loop, in the order of sums that is fastest on this processor."""
    # XLA reads its flags when it first compiles, which is later.
    os.environ["XLA_FLAGS"] = ""
    vars(network)["matmul"] = tf.matmul
    return train(task)
