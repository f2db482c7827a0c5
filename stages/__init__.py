"""The stages of the pipeline, each run as ``python -m stages.<name>`` from the root."""

import sys
from importlib.util import find_spec

# Under another Python than that of .venv every stage would end in a traceback.
if sys.argv[0] == "-m" and not find_spec("pydantic"):
    sys.exit(
        f"error: {sys.executable} lacks the packages that `make` installs into .venv; "
        "`source .venv/bin/activate`, or write .venv/bin/python"
    )
