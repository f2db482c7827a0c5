"""What two or more stages share. Nothing here knows of a stage."""

import sys
from importlib.util import find_spec

# Without this, a command that runs under another Python than that of .venv ends in a traceback.
if not find_spec("pydantic"):
    sys.exit(
        f"error: {sys.executable} lacks the packages of requirements.lock; run `make`, or "
        "activate the environment that has them: `source .venv/bin/activate`"
    )
