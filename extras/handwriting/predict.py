"""Read the digits of your own pictures.

    python -m extras.handwriting.predict --run long photo.jpg drawing.png

One line per image: its path, the digits from left to right, and the smallest of their
probabilities, separated by tabs. Under a second for the first picture. `--grid` shows what the
network saw.

A picture that cannot be read, or has no ink, is one line on stderr; the others are still
classified, and the exit status is 1.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.atomic import atomic_write
from common.command_line import argument_parser, run
from common.config import load_config
from extras.handwriting import preparation
from extras.handwriting.predictor import load_predictor
from extras.handwriting.preparation import PictureError


def digits(path: Path) -> NDArray[np.uint8]:
    """Find the digits in a file, as `preparation.digits` returns them.

    Raises
    ------
    PictureError
        If it is missing, no picture, or has no ink.
    """
    try:
        # Not whatever can be opened: a pipe would wait for ever.
        if path.exists() and not path.is_file():
            raise PictureError("not a file")
        with path.open("rb") as file:
            return preparation.digits(preparation.decode(file))
    except OSError as error:
        raise PictureError(error.strerror or str(error)) from None


def main() -> None:
    """Read the arguments, the weights and the pictures; print the predictions."""
    parser = argument_parser("extras.handwriting.predict", __doc__)
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="a picture")
    parser.add_argument("--run", help="a name under `runs` in params.yaml; else the longest run")
    parser.add_argument("--grid", type=Path, metavar="OUT.png", help="where the 28 x 28 images go")
    arguments = parser.parse_args()
    config = load_config()
    predictor = load_predictor(arguments.run or config.longest_run, config)
    if isinstance(sys.stdout, TextIOWrapper):
        # The name of a file may have bytes that are no text.
        sys.stdout.reconfigure(errors="backslashreplace")
    seen: list[NDArray[np.uint8]] = []
    for path in arguments.images:
        try:
            images = digits(path)
        except PictureError as error:
            sys.stderr.write(f"error: {path}: {error}\n")
            continue
        prediction = predictor.predict(images)
        sys.stdout.write(f"{path}\t{prediction.digits}\t{prediction.probability:.4f}\n")
        sys.stdout.flush()
        seen.append(images)
    if arguments.grid and seen:
        atomic_write(arguments.grid, preparation.sheet(np.concatenate(seen)))
    if len(seen) < len(arguments.images):
        sys.exit(1)


if __name__ == "__main__":
    run(main)
