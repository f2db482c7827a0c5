"""Code that two or more stages share; it depends on none of them."""

import sys
from importlib.util import find_spec

# Without this, a command under a Python other than that of .venv would end in a traceback.
if not find_spec("pydantic"):
    sys.exit(
        f"error: {sys.executable} lacks the packages of requirements.lock; run `make`, or "
        "activate the environment that has them: `source .venv/bin/activate`"
    )
