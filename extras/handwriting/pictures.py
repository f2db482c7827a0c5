"""Decode pictures of any depth, colours and orientation."""

import warnings
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Pixels = NDArray[np.float32]

# Pillow reads many more, some by starting other programs. These are pictures, without any help.
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP", "PPM")
# A larger picture is made this small first: a digit has 20 pixels at the end.
MAX_SIDE = 400


class PictureError(Exception):
    """A picture cannot be read, or shows no digit; the message says what is wrong."""


def decode(file: BinaryIO) -> Pixels:
    """Decode a picture, whatever its depth, colours and EXIF orientation; of several the first.

    Returns
    -------
    ndarray of float32, shape (rows, columns, channels)
        Values in [0, 255], no side longer than `MAX_SIDE`. Transparency is a channel as well.

    Raises
    ------
    PictureError
        If it is none of `FORMATS`, damaged, or larger than Pillow finds safe.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # odd metadata does not matter here
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, "r", FORMATS) as picture:
                picture.draft("RGB", (MAX_SIDE, MAX_SIDE))  # a large JPEG need not be decoded whole
                return _channels(picture)
    except UnidentifiedImageError:
        raise PictureError(f"not a picture in a known format ({', '.join(FORMATS)})") from None
    except Exception as error:  # noqa: BLE001 - a damaged file makes Pillow raise almost anything
        raise PictureError(f"cannot be decoded: {error or type(error).__name__}") from None


def _channels(picture: Image.Image) -> Pixels:
    if picture.mode.startswith(("I", "F")):
        # 16 bits a pixel or more: brightness counts from the darkest to the lightest there is.
        values = np.nan_to_num(np.asarray(picture, np.float32))
        scale = 255 / max(float(np.ptp(values)), 1.0)
        small = Image.fromarray((values - values.min()) * np.float32(scale))
    else:
        small = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    small.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    upright = ImageOps.exif_transpose(small)
    # A transparent pixel has a colour that nobody sees.
    shown = upright.convert("RGBa") if upright.mode == "RGBA" else upright
    return np.atleast_3d(np.asarray(shown, np.float32))
