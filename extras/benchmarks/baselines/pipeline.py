"""The project's own training."""

from typing import Any

from common.model import Model
from extras.benchmarks.baselines import Task
from stages.train.trainer import Trainer

SCALED = False  # scaling is part of the project's model


def train(task: Task) -> Any:
    """Train with the compiled loop."""
    config, classes = task.config, len(task.config.dataset.classes)
    trainer = Trainer(config.model, config.train, task.stops[-1], task.train, classes)
    for batches in task.sections():
        list(trainer.train(len(batches)))  # it trains as its costs are read
    return Model(trainer.weights()).probabilities(task.test.features).argmax(axis=1)
