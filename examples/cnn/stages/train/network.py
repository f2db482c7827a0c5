"""The model in TensorFlow: the same forward pass as in common/model.py.

A convolution is the product of windows and filters: with `matmul` that is faster than XLA's own
convolution on a CPU, and its bytes do not depend on the processor.
"""

from __future__ import annotations

import math

from stages.train.reproducible import matmul, tf


def logits(weights: dict[str, tf.Tensor], features: tf.Tensor) -> tf.Tensor:
    """Return the logits of each class.

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
    side = math.isqrt(features.shape[1])
    values = tf.reshape(tf.cast(features, tf.float32) / 255, (-1, side, side, 1))
    for name in ("convolution1", "convolution2"):
        values = _convolution(values, weights[name]) + weights[f"{name}_bias"]
        values = _max_pool(tf.nn.relu(values))
    values = tf.reshape(values, (-1, weights["dense1"].shape[0]))
    values = tf.nn.relu(matmul(values, weights["dense1"]) + weights["dense1_bias"])
    return matmul(values, weights["dense2"]) + weights["dense2_bias"]


def _convolution(values: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    height, width, channels, filters = kernel.shape
    rows, columns = values.shape[1] - height + 1, values.shape[2] - width + 1
    shifted = [
        values[:, row : row + rows, column : column + columns]
        for row in range(height)
        for column in range(width)
    ]
    windows = tf.reshape(tf.concat(shifted, axis=3), (-1, height * width * channels))
    product = matmul(windows, tf.reshape(kernel, (-1, filters)))
    return tf.reshape(product, (-1, rows, columns, filters))


def _max_pool(values: tf.Tensor) -> tf.Tensor:
    rows, columns = values.shape[1] // 2, values.shape[2] // 2
    even = values[:, : rows * 2, : columns * 2]
    pairs = tf.reshape(even, (-1, rows, 2, columns, 2, values.shape[3]))
    return tf.reduce_max(pairs, axis=(2, 4))
