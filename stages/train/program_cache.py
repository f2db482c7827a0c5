"""Keep the compiled program, so that only the first training on a machine has to compile it."""

import hashlib
import os
from pathlib import Path

from stages.train.reproducible import ENVIRONMENT, cpu_features, tf


def keep_programs(cache: Path) -> None:
    """Let XLA keep its programs in a folder, one for each processor and version of TensorFlow.

    XLA itself tells programs apart only by what they compute. The path is relative, because a flag
    must not have spaces.
    """
    versions = (tf.version.VERSION, tf.version.GIT_VERSION, tf.version.COMPILER_VERSION)
    key = repr((versions, sorted(cpu_features.items()), ENVIRONMENT)).encode()
    folder = os.path.relpath(cache / hashlib.sha256(key).hexdigest())
    os.environ["TF_XLA_FLAGS"] = f"--tf_xla_persistent_cache_directory={folder}"
