"""Import TensorFlow so that it computes the same bytes on x86-64 with AVX2 and on ARM64.

The number of threads that a processor has does not matter either. Four things ensure it:

1. XLA is configured to use no arithmetic that depends on the processor. Its library for matrix
   products, YNNPACK, then adds the terms of a sum one after another, each by a fused multiply-add.
2. XLA's own code is made for one instruction set wherever it runs, because wider registers add in
   another order.
3. There are always two threads, because the number of threads decides how YNNPACK divides a
   product; more than two have too little to do at this size.
4. All sums are in arithmetic.py, which decides their order where XLA or YNNPACK would not.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from numpy._core._multiarray_umath import (  # type: ignore[import-not-found]  # no public name
    __cpu_features__ as cpu_features,
)

from support.command_line import CommandError, gc_disabled

__all__ = ["DEVICE", "ENVIRONMENT", "IS_ARM64", "IS_REPRODUCIBLE", "cpu_features", "tf", "xla"]

THREADS = 2
DEVICE = f"CPU, {THREADS} threads"
IS_ARM64 = platform.machine() in ("aarch64", "arm64")
INSTRUCTION_SET = (
    # At level 3, LLVM decides by the model of an ARM processor whether to fuse a product and a sum;
    # at level 2 it always does, as on x86-64.
    "--xla_cpu_max_isa=NEON --xla_backend_optimization_level=2"
    if IS_ARM64
    else "--xla_cpu_max_isa=AVX2"
)
ENVIRONMENT = {
    "XLA_FLAGS": f"--xla_cpu_enable_platform_dependent_math=false {INSTRUCTION_SET}",
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

# XLA's code for AVX2 uses the first two, its code for ARM64 the last, which every ARM64 processor
# has. A processor without them is warned about.
IS_REPRODUCIBLE = any(
    all(cpu_features.get(feature) for feature in features)
    for features in (("AVX2", "FMA3"), ("ASIMD",))
)
