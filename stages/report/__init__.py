"""Show the results: figures, a page, a model card."""

import os
from pathlib import Path

# Before matplotlib is imported. A user's own settings would change the figures; the list of fonts
# is cached in the project.
os.environ["MPLCONFIGDIR"] = str(Path(".cache/matplotlib").resolve())
# A notebook may set a backend that is not installed here.
os.environ["MPLBACKEND"] = "agg"
