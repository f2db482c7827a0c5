"""Digits from pictures: a command, a page to draw on, and what they achieve."""

import sys
from importlib.util import find_spec

if not find_spec("skimage"):
    sys.exit(
        "error: scikit-image is not installed; `make .venv/installed-handwriting` installs the "
        "packages of extras/handwriting"
    )
