"""Predict what your own pictures show.

    python -m extras.handwriting.predict --run long photo.jpg drawings/

One line per picture: its path, the digits, and the smallest of their probabilities, with tabs
between. Of a folder, every picture in it is taken. Several lines of digits are read from top to
bottom, with a space between. `--grid` shows what the model sees.

Where the dataset's classes are not digits, the whole picture is one image, in grey.

A picture that cannot be read, or shows no digit, is one line on stderr. The others are predicted
all the same, and the exit status is 1.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from io import BytesIO, TextIOWrapper
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from common.config import load_config
from extras.handwriting.pictures import PictureError, Pixels, decode
from extras.handwriting.predictor import Prediction, load_predictor
from extras.handwriting.preparation import SIZE, Digits
from support.command_line import argument_parser, run
from support.files import atomic_write

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".ppm", ".pgm"}
ZOOM = 4
BOX_COLOUR = "#d95f02"


def pictures(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the paths of pictures: each file, and of a folder those with a picture's suffix."""
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises if the name is too long
            yield from sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
        else:
            yield path


def load_picture(path: Path) -> tuple[Pixels, float]:
    """Load a picture, and how many pixels of the file's width are one of its pixels.

    Raises
    ------
    PictureError
        If the file is missing or is not a picture.
    """
    try:
        # Not whatever can be opened: a pipe would wait for ever.
        if path.exists() and not path.is_file():
            raise PictureError("not a file")
        with path.open("rb") as file:
            return decode(file)
    except OSError as error:
        raise PictureError(error.strerror or str(error)) from None


def as_json(
    path: Path, digits: Digits, scale: float, prediction: Prediction, classes: Sequence[str]
) -> str:
    """Return one line of JSON: the digits, and of each two predictions and its box."""
    details = []
    for line, box, values in zip(digits.lines, digits.boxes, prediction.probabilities, strict=True):
        second, best = np.argsort(values)[-2:]
        details.append(
            {
                "label": classes[best],
                "probability": float(values[best]),
                "second": classes[second],
                "second_probability": float(values[second]),
                "box": [round(edge * scale) for edge in box],
                "line": int(line),
            }
        )
    return json.dumps(
        {
            "path": str(path),
            "digits": prediction.digits,
            "probability": prediction.probability,
            "details": details,
        }
    )


def draw_row(pixels: Pixels, digits: Digits) -> Image.Image:
    """Draw a picture with the boxes of its digits, and what the model sees of them beside it."""
    side = ZOOM * SIZE
    grey = np.clip(pixels[:, :, :3].mean(axis=2), 0, 255).astype(np.uint8)
    picture = Image.fromarray(grey).convert("RGB")
    thumbnail = ImageOps.contain(picture, (3 * side, side))
    pencil, zoom = ImageDraw.Draw(thumbnail), thumbnail.width / picture.width
    for box in digits.boxes:
        pencil.rectangle([float(edge * zoom) for edge in box], outline=BOX_COLOUR)
    row = Image.new("RGB", ((3 + len(digits.images)) * side, side), "white")
    row.paste(thumbnail)
    for number, image in enumerate(digits.images):
        square = Image.fromarray(image.reshape(SIZE, SIZE)).resize((side, side), 0)
        row.paste(square, ((3 + number) * side, 0))
    return row


def stack(rows: Sequence[Image.Image]) -> bytes:
    """Return a PNG file with one row below the other."""
    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)))
    for number, row in enumerate(rows):
        sheet.paste(row, (0, number * row.height))
    buffer = BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def main() -> None:
    """Read the arguments, the weights and the pictures; print the predictions."""
    parser = argument_parser("extras.handwriting.predict", __doc__)
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="a file or a folder")
    parser.add_argument("--run", help="a name under `runs` in params.yaml; else the longest run")
    parser.add_argument("--json", action="store_true", help="one line of JSON per picture")
    parser.add_argument("--grid", type=Path, metavar="OUT.png", help="where to draw the images")
    arguments = parser.parse_args()
    config = load_config()
    predictor = load_predictor(arguments.run or config.longest_run, config)
    if isinstance(sys.stdout, TextIOWrapper):
        # The name of a file may have bytes that are not text.
        sys.stdout.reconfigure(errors="backslashreplace")
    rows, failed = [], False
    for path in pictures(arguments.images):
        try:
            pixels, scale = load_picture(path)
            digits = predictor.prepare(pixels)
        except PictureError as error:
            sys.stderr.write(f"error: {path}: {error}\n")
            failed = True
            continue
        prediction = predictor.predict(digits.images, digits.lines)
        line = f"{path}\t{prediction.digits}\t{prediction.probability:.4f}"
        if arguments.json:
            line = as_json(path, digits, scale, prediction, predictor.classes)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        if arguments.grid:
            rows.append(draw_row(pixels, digits))
    if rows:
        atomic_write(arguments.grid, stack(rows))
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
