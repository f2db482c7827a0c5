"""Predict what your own pictures show.

    python -m extras.handwriting.predict --run long photo.jpg

One line per picture: its path, the digits, and the smallest of their probabilities, with tabs
between. Several lines of digits are read from top to bottom, with a space between.

A picture that cannot be read, or shows no digit, is one line on stderr. The others are predicted
all the same, and the exit status is 1.
"""

import sys
from pathlib import Path

from common.config import load_config
from extras.handwriting.pictures import PictureError, Pixels, decode
from extras.handwriting.predictor import load_predictor
from support.command_line import argument_parser, run


def load_picture(path: Path) -> Pixels:
    """Load a picture; raises PictureError if the file is missing or is not a picture."""
    try:
        with path.open("rb") as file:
            return decode(file)
    except OSError as error:
        raise PictureError(error.strerror or str(error)) from None


def main() -> None:
    parser = argument_parser("extras.handwriting.predict", __doc__)
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    parser.add_argument("--run", help="a name under `runs` in params.yaml; else the longest run")
    arguments = parser.parse_args()
    config = load_config()
    longest = max(config.runs, key=lambda name: config.runs[name].iterations)
    predictor = load_predictor(arguments.run or longest, config)
    failed = False
    for path in arguments.images:
        try:
            prediction = predictor.predict(predictor.prepare(load_picture(path)))
        except PictureError as error:
            sys.stderr.write(f"error: {path}: {error}\n")
            failed = True
        else:
            sys.stdout.write(f"{path}\t{prediction.digits}\t{prediction.probability:.4f}\n")
            sys.stdout.flush()
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
