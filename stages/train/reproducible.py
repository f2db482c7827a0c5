"""Import TensorFlow so that it computes the same bytes on every x86-64 processor with AVX2.

The number of threads that a processor has does not matter either. Four things ensure it:

1. XLA is configured to use no arithmetic that depends on the processor. Its library for matrix
   products, YNNPACK, then splits and adds sums in the same order everywhere, and not by the size
   of a cache or the width of a register.
2. XLA's own code is made for AVX2 wherever it runs, because wider registers add in another order.
3. No product has a transposed left factor (`matmul`), because XLA passes such a product to
   oneDNN, whose order depends on the instruction set.
4. There are always two threads. With one, YNNPACK splits the sums of some shapes differently,
   for example of batches of 32; more than two have too little to do at this size.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numpy._core._multiarray_umath import (  # type: ignore[import-not-found]  # no public name
    __cpu_features__ as cpu_features,
)

from support.command_line import CommandError, gc_disabled

__all__ = ["DEVICE", "ENVIRONMENT", "IS_REPRODUCIBLE", "cpu_features", "matmul", "tf"]

THREADS = 2
DEVICE = f"CPU, {THREADS} threads"
ENVIRONMENT = {
    "XLA_FLAGS": "--xla_cpu_enable_platform_dependent_math=false --xla_cpu_max_isa=AVX2",
    # At this size a GPU costs start-up time and gains nothing, and its sums differ.
    "CUDA_VISIBLE_DEVICES": "-1",
    # Half of what TensorFlow imports is Keras; this delays it until it is used, which is never.
    "TF_USE_LEGACY_KERAS": "1",
    # The rest of Keras would read ~/.keras/keras.json, or create it.
    "KERAS_HOME": os.devnull,
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # It would choose other kernels, whose sums differ; ours are deterministic without it.
    "TF_DETERMINISTIC_OPS": "0",
    "TF_XLA_FLAGS": "",
    "TF_ENABLED_DEVICE_TYPES": "",
}


@contextmanager
def _silence() -> Iterator[None]:
    """Hold back what libraries print while they start, and show it only if they fail."""
    with tempfile.TemporaryFile() as held_back:
        stderr = os.dup(2)
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except BaseException:
            held_back.seek(0)
            os.write(stderr, held_back.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


# Without AVX the import would end this process without a word. (Other processors have no SSE2.)
if cpu_features.get("SSE2") and not cpu_features.get("AVX"):
    raise CommandError("this processor has no AVX, which TensorFlow needs")

# Set here and not left to the user's shell, because the result depends on it; TensorFlow reads it
# when it is imported.
os.environ.update(ENVIRONMENT)
with _silence(), gc_disabled():
    import tensorflow as tf
    from tensorflow.compiler.tf2xla.python import xla
tf.config.threading.set_intra_op_parallelism_threads(THREADS)

# XLA's code for AVX2 uses both. A processor without them is warned about.
IS_REPRODUCIBLE = all(cpu_features.get(feature) for feature in ("AVX2", "FMA3"))


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
        # The barrier keeps XLA from folding the transposition into the product again.
        (transposed,) = xla.optimization_barrier(tf.transpose(values))
        return tf.matmul(upstream, weights, transpose_b=True), tf.matmul(transposed, upstream)

    return tf.matmul(values, weights), gradient
