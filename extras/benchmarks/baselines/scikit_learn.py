"""scikit-learn: MLPClassifier.

``fit`` knows epochs only; ``partial_fit`` runs one epoch over the examples it gets, so the number
of iterations is exact.
"""

import numpy as np
from sklearn.neural_network import MLPClassifier

from extras.benchmarks.baselines.task import Task, Training


def train(task: Task) -> Training:
    """Fit whole epochs, and then the remaining iterations."""
    adam, examples = task.params, len(task.labels)
    classifier = MLPClassifier(
        task.model.hidden_units, alpha=0, batch_size=adam.batch_size,
        learning_rate_init=adam.learning_rate, beta_1=adam.beta_1, beta_2=adam.beta_2,
        epsilon=adam.epsilon,
    )  # fmt: skip
    classes = range(task.classes)
    random = np.random.default_rng(adam.seed)
    for iterations in task.sections:
        epochs, rest = divmod(iterations, -(-examples // adam.batch_size))
        for _ in range(epochs):
            classifier.partial_fit(task.features, task.labels, classes=classes)
        if rest:
            rows = random.permutation(examples)[: rest * adam.batch_size]
            classifier.partial_fit(task.features[rows], task.labels[rows], classes=classes)
        yield None
    yield classifier.predict(task.test_features)
