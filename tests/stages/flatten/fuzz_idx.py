"""Look for bytes that the IDX reader does not answer with an array or ValueError.

    python -m venv /tmp/fuzz && /tmp/fuzz/bin/pip install numpy atheris==3.0.0
    PYTHONPATH=. /tmp/fuzz/bin/python tests/fuzz/idx.py -max_total_time=300

Five minutes. Guided by coverage: atheris [1]_ keeps and changes what reaches new code. It is not in
the lock files, for it is not needed to make or to test a result. It ends with the number of inputs
tried, or with the traceback of the first that does something else, which it also keeps in a file.

.. [1] https://github.com/google/atheris
"""

from __future__ import annotations

import sys

import atheris
import numpy as np

with atheris.instrument_imports(include=["stages.flatten.idx"]):
    from stages.flatten.idx import parse

# Whatever is claimed, no more than what came can be given.
MOST_BYTES = 4096


def one_input(content: bytes) -> None:
    """Read some bytes as labels and as images."""
    for axes in (1, 3):
        try:
            values = parse(content, axes)
        except ValueError:
            continue
        assert (np.uint8, axes) == (values.dtype, values.ndim)
        assert len(content) == 4 + 4 * axes + values.size
        assert content.endswith(values.tobytes())


if __name__ == "__main__":
    atheris.Setup([*sys.argv, f"-max_len={MOST_BYTES}"], one_input)
    atheris.Fuzz()
