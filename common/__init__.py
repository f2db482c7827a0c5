"""What two or more stages share: what can change a byte of an output, and the settings."""

import sys
from importlib.util import find_spec

# Without this, a command under a Python without the packages would end in a traceback.
if not all(map(find_spec, ("mlflow", "pydantic", "rich"))):
    sys.exit(
        f"error: {sys.executable} lacks the packages of requirements.lock; run `make`, or activate "
        "the environment that has them: `source .venv/bin/activate`"
    )
