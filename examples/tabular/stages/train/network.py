"""The model and its cost in TensorFlow; the forward pass is that of common/model.py."""

from __future__ import annotations

from stages.train.arithmetic import add_bias, matmul, mean, softmax_cross_entropy
from stages.train.reproducible import tf


def logits(weights: dict[str, tf.Tensor], features: tf.Tensor) -> tf.Tensor:
    """Return the logits of each class: ReLU layers, and a linear one at the end.

    Parameters
    ----------
    weights : dict of Tensor of float32
        As `common.model.initial_weights` names them.
    features : Tensor of float32, shape (n, columns)
        As `common.columns.encode` makes them.

    Returns
    -------
    Tensor of float32, shape (n, classes)
    """
    # Constants of the training split, which are not trained.
    mean, std = (tf.stop_gradient(weights[name]) for name in ("mean", "std"))
    values = (tf.cast(features, tf.float32) - mean) / std
    values = tf.where(tf.math.is_nan(values), 0.0, values)
    layers = len(weights) // 2 - 1
    for layer in range(1, layers + 1):
        values = add_bias(matmul(values, weights[f"W{layer}"]), weights[f"b{layer}"])
        if layer < layers:
            values = tf.nn.relu(values)
    return values


def cost(
    weights: dict[str, tf.Tensor],
    features: tf.Tensor,
    labels: tf.Tensor,
    seed: tf.Tensor,  # noqa: ARG001 - for what is random, such as dropout
) -> tf.Tensor:
    """Return the cost of a batch: the mean softmax cross entropy, in nats."""
    scores = logits(weights, features)
    return mean(softmax_cross_entropy(labels, scores))
