"""Let extras extend the commands, which do not know about them.

An extra takes part with a file ``extras/<name>/hooks.py`` that has one or more of these functions:

``gate_failures(config, results)``
    Yields one line for each reason why `commands.gate` should fail.
``summary_columns(config)``
    Returns columns for the table of `commands.summary`: a mapping of titles to cells, which are
    themselves a mapping of names of runs to text.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

EXTRAS = Path(__file__).parents[1] / "extras"


def call_hooks(function: str, *arguments: Any) -> Iterator[Any]:
    """Yield what a function returns for each extra whose hooks define it, in alphabetical order."""
    for path in sorted(EXTRAS.glob("*/hooks.py")):
        module = importlib.import_module(f"extras.{path.parent.name}.hooks")
        if hook := getattr(module, function, None):
            yield hook(*arguments)
