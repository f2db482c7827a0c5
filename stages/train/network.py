"""The model in TensorFlow: the same forward pass as in common/model.py.

ADAPT: to change the architecture, replace `logits` here and in common/model.py.
"""

from __future__ import annotations

from stages.train.reproducible import matmul, tf


def logits(weights: dict[str, tf.Tensor], features: tf.Tensor) -> tf.Tensor:
    """Return the logits of each class: ReLU layers, and a linear one at the end.

    Parameters
    ----------
    weights : dict of Tensor of float32
        As `common.model.initial_weights` names them.
    features : Tensor of uint8, shape (n, pixels)
        Brightness in [0, 255].

    Returns
    -------
    Tensor of float32, shape (n, classes)
    """
    values = tf.cast(features, tf.float32) / 255
    layers = len(weights) // 2
    for layer in range(1, layers + 1):
        values = matmul(values, weights[f"W{layer}"]) + weights[f"b{layer}"]
        if layer < layers:
            values = tf.nn.relu(values)
    return values
