"""Search for the best settings, on one machine or many."""

import sys
from importlib.util import find_spec

if not find_spec("ray"):
    sys.exit(
        "error: Ray is not installed; `make .venv/installed-sweeps` installs the packages of "
        "extras/sweeps"
    )
