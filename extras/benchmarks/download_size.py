"""Print as JSON how many bytes an installation downloads on this machine; nothing is downloaded.

    python -m extras.benchmarks.download_size requirements.lock

``bytes`` is the size of all packages of a lock file, as the package index states it, and
``bytes_with_tensorflow`` their size with `tensorflow` in place of `tensorflow-cpu`.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.pylock import Pylock

from commands.install import locked
from support.command_line import CommandError, argument_parser, echo, run

UV = ("-m", "uv", "pip", "compile", "--quiet", "--no-deps", "--format=pylock.toml", "-")


def size(requirements: str) -> int:
    """Return the size of the packages that this machine would install, in bytes."""
    command = [sys.executable, *UV]
    uv = subprocess.run(command, input=requirements, capture_output=True, text=True, check=False)
    if uv.returncode:
        raise CommandError(f"uv: {uv.stderr}")
    packages: Any = Pylock.from_dict(tomllib.loads(uv.stdout)).select()
    return sum(package.size for _, package in packages)


def main() -> None:
    """Read the argument and the lock file; print one line."""
    parser = argument_parser("extras.benchmarks.download_size", __doc__)
    parser.add_argument("lock", type=Path, help="requirements.lock")
    content = parser.parse_args().lock.read_text(encoding="utf-8")
    total, package = size(content), locked(content, "tensorflow-cpu").partition(" ")[0]
    other = size(package.replace("-cpu", "")) - size(package)
    echo(json.dumps({"bytes": total, "bytes_with_tensorflow": total + other}))


if __name__ == "__main__":
    run(main)
