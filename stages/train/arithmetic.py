"""Sums in an order that does not depend on the processor: products, biases, softmax, mean.

Whatever else is trained must use these instead of TensorFlow's own: XLA lets LLVM reorder a sum to
fill its registers, and divides a product as suits the kernel that YNNPACK has for the processor.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable

from stages.train.reproducible import IS_ARM64, tf, xla
from support.command_line import echo

# YNNPACK, XLA's library for products, divides longer sums. How depends on whether it copies the
# right factor first: if so, it divides none of at most 512 terms, and otherwise none whose right
# factor has at most 32,768 numbers. It copies on every processor if that factor is transposed or
# the left one has more than 60 rows. (See define_pack_b and should_pack_b in YNNPACK's
# subgraph/dot.cc, and schedule_dot in its kernels/dot/schedule.cc.)
MAX_TERMS = 512
MAX_NUMBERS = 1 << 15
# If it copies a factor with at least so many columns, it makes pieces of 512 terms itself, which
# takes less time; but not with ARM's SME, which adds all terms one after another.
DIVIDED_COLUMNS = 64
MIN_ROWS = 64
# With more columns, additional rows take less time than many short sums.
MAX_COLUMNS = 128
# XLA does not pass smaller matrices to YNNPACK.
MIN_SIZE = 8
# More would take long to compile.
MAX_PIECES = 8
# The sums of the biases have always been made of 32 rows each.
BLOCK = 32


@tf.custom_gradient  # type: ignore[untyped-decorator]
def matmul(
    values: tf.Tensor, weights: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    """Multiply two matrices so that neither the product nor its gradient depends on the processor.

    Parameters
    ----------
    values : Tensor of float32, shape (n, inputs)
    weights : Tensor of float32, shape (inputs, units)

    Returns
    -------
    Tensor of float32, shape (n, units)
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # XLA passes a product with a transposed left factor to oneDNN, whose order depends on the
        # instruction set. The barrier keeps XLA from folding the transposition into the product.
        (transposed,) = xla.optimization_barrier(tf.transpose(values))
        return (
            _product(upstream, weights, transpose_right=True),
            _product(transposed, upstream),
        )

    return _product(values, weights), gradient


@tf.custom_gradient  # type: ignore[untyped-decorator]
def add_bias(
    values: tf.Tensor, bias: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    """Add a bias, shape (units,), to values, shape (..., units)."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return upstream, total(tf.reshape(upstream, [-1, bias.shape[0]]))

    return values + bias, gradient


@tf.custom_gradient  # type: ignore[untyped-decorator]
def softmax_cross_entropy(
    labels: tf.Tensor, logits: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[None, tf.Tensor]]]:
    """Return the cross entropy of each example's softmax, in nats.

    Parameters
    ----------
    labels : Tensor of int32, shape (n,)
    logits : Tensor of float32, shape (n, classes)

    Returns
    -------
    Tensor of float32, shape (n,)
    """
    shifted = logits - tf.reduce_max(logits, axis=1, keepdims=True)
    exponentials = tf.exp(shifted)
    sums = total(tf.transpose(exponentials))[:, tf.newaxis]
    targets = tf.one_hot(labels, logits.shape[1])
    # All terms but one are 0, so that their order does not matter.
    costs = tf.reduce_sum(targets * (tf.math.log(sums) - shifted), axis=1)

    def gradient(upstream: tf.Tensor) -> tuple[None, tf.Tensor]:
        return None, upstream[:, tf.newaxis] * (exponentials / sums - targets)

    return costs, gradient


@tf.custom_gradient  # type: ignore[untyped-decorator]
def mean(values: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Return the mean of a vector."""
    count = values.shape[0]

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        return tf.fill([count], upstream / count)

    return total(values) / count, gradient


def total(values: tf.Tensor) -> tf.Tensor:
    """Return the sum over the first axis: of each `BLOCK` in order, then of these sums, and so on.

    Nothing is differentiated through it.
    """
    while (length := values.shape[0]) > 1:
        size = min(length, BLOCK)
        paddings = [[0, -length % size], *([0, 0] for _ in values.shape[1:])]
        blocks = tf.reshape(tf.pad(values, paddings), [-1, size, *values.shape[1:]])
        values = functools.reduce(operator.add, tf.unstack(blocks, axis=1))
    return values[0]


def _product(left: tf.Tensor, right: tf.Tensor, *, transpose_right: bool = False) -> tf.Tensor:
    """Multiply two matrices, in pieces that YNNPACK does not divide; add the pieces in order."""
    rows, terms = left.shape
    columns = right.shape[0 if transpose_right else 1]
    if terms > MAX_TERMS * MAX_PIECES or columns == 1:
        _warn(rows, terms, columns)
        return tf.matmul(left, right, transpose_b=transpose_right)
    fewest, longest = MIN_SIZE if transpose_right else MIN_ROWS, MAX_TERMS
    if rows < fewest and columns <= MAX_COLUMNS:
        fewest, longest = MIN_SIZE, min(MAX_TERMS, MAX_NUMBERS // columns)
    elif columns >= DIVIDED_COLUMNS and not IS_ARM64:
        longest = terms
    left = tf.pad(left, [[0, max(0, fewest - rows)], [0, 0]])
    pieces = []
    for first in range(0, terms, longest):
        piece = slice(first, first + longest)
        factor = right[:, piece] if transpose_right else right[piece]
        pieces.append(tf.matmul(left[:, piece], factor, transpose_b=transpose_right))
    return functools.reduce(operator.add, pieces)[:rows]


@functools.cache
def _warn(rows: int, terms: int, columns: int) -> None:
    echo(
        f"the product of matrices of {rows:,} x {terms:,} and {terms:,} x {columns:,}: "
        "its last digits may depend on the processor"
    )
