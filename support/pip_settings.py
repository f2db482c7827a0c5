"""How pip is configured, for other programs that use the package index; standard library only."""

import ast
import subprocess


def pip_settings(python: str) -> dict[str, str]:
    """Return the settings of a Python's pip, such as ``index-url``, by their names.

    They come from all configuration files and PIP_... variables, of which later ones win.
    """
    command = [python, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    lines = [line.partition("=") for line in listing.splitlines()]
    return {name.rpartition(".")[2]: str(ast.literal_eval(value)) for name, _, value in lines}
