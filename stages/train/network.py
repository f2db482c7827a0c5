"""The model and its cost in TensorFlow; the forward pass is that of common/model.py.

ADAPT: to change the architecture, replace `logits` here and in common/model.py; to change what is
minimised, replace `cost`.
"""

from __future__ import annotations

from stages.train.arithmetic import add_bias, matmul, mean, softmax_cross_entropy
from stages.train.reproducible import tf


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
    """Return the cost of a batch, which is minimised: the mean softmax cross entropy, in nats.

    Parameters
    ----------
    weights, features
        As for `logits`.
    labels : Tensor of int32, shape (n,)
    seed : Tensor of int32, shape (2,)
        The seed of the training and the number of the iteration, for `tf.random.stateless_uniform`
        and its like: what is random then depends on nothing else.

    Returns
    -------
    Tensor of float32, shape ()
    """
    scores = logits(weights, features)
    return mean(softmax_cross_entropy(labels, scores))
