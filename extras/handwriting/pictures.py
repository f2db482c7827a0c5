"""Decode pictures of any depth, colours and orientation."""

import warnings
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Pixels = NDArray[np.float32]

# Pillow reads many more, some by starting other programs. These are pictures, without any help.
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP", "PPM")
# Compared before anything is decoded: 64 million pixels are 256 MB, and as much again at times.
MAX_PIXELS = 64_000_000
# A larger picture is made this small first: a digit has 20 pixels at the end.
MAX_SIDE = 400


class PictureError(Exception):
    """A picture cannot be read, or shows no digit; the message says what is wrong."""


def decode(file: BinaryIO) -> tuple[Pixels, float]:
    """Decode a picture, whatever its depth, colours and EXIF orientation; of several the first.

    Returns
    -------
    pixels : ndarray of float32, shape (rows, columns, channels)
        Values in [0, 255], no side longer than `MAX_SIDE`. Transparency is a channel as well.
    scale : float
        How many pixels of the file's width are one of these.

    Raises
    ------
    PictureError
        If it is none of `FORMATS`, larger than `MAX_PIXELS`, or damaged.
    """
    try:
        # Pillow warns about odd metadata, which does not matter here, and about large pictures.
        with warnings.catch_warnings(action="ignore"), Image.open(file, "r", FORMATS) as picture:
            columns, rows = picture.size
            if columns * rows <= MAX_PIXELS:
                picture.draft(None, (MAX_SIDE, MAX_SIDE))
                small = _reduced(picture)
                return _channels(ImageOps.exif_transpose(small)), columns / small.width
    except UnidentifiedImageError:
        raise PictureError(f"not a picture in a known format ({', '.join(FORMATS)})") from None
    except Image.DecompressionBombError:
        columns, rows = 0, 0
    except Exception as error:  # noqa: BLE001 - a damaged file makes Pillow raise almost anything
        raise PictureError(f"damaged: {error or type(error).__name__}") from None
    size = f"{columns} x {rows} is more" if rows else "more"
    raise PictureError(f"{size} than the {MAX_PIXELS / 1e6:.0f} million pixels allowed")


def _reduced(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        mode = "F"
    else:
        mode = "RGBA" if picture.has_transparency_data else "RGB"
    if picture.mode != mode:
        picture = picture.convert(mode)
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    return picture


def _channels(picture: Image.Image) -> Pixels:
    if picture.mode == "F":
        # 16 bits a pixel or more: brightness counts from the darkest to the lightest there is.
        values = np.nan_to_num(np.asarray(picture, np.float32)[:, :, np.newaxis])
        darkest, lightest = float(values.min()), float(values.max())
        return (values - darkest) * np.float32(255 / max(lightest - darkest, 1.0))
    if picture.mode == "RGBA":
        picture = picture.convert("RGBa")
    return np.asarray(picture, np.float32)
