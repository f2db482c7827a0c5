"""Pictures of digits, prepared the way MNIST was, so that the model sees what it has learnt.

A picture may be of any size and colour, dark on light or light on dark, on uneven paper. MNIST's
own preparation [1]_ follows: each digit is scaled to fit 20 x 20 with its shape kept and its edges
smooth, and centred by mass in 28 x 28.

.. [1] Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits.
   http://yann.lecun.com/exdb/mnist/
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.measure import moments_central

from extras.handwriting.ink import find_ink
from extras.handwriting.pictures import Pixels
from extras.handwriting.pieces import find_digits

SIZE = 28
BOX = 20
# What is ink, of the strongest; what is fainter than an edge is not counted in a digit's size.
INK, EDGE = 0.35, 0.05


@dataclass(frozen=True)
class Digits:
    """The digits of a picture, line by line and from left to right, and the line of each.

    `images` has the shape (n, 784) and brightness in [0, 255], ink bright as in MNIST.
    """

    images: NDArray[np.uint8]
    lines: NDArray[np.int_]


def prepare(picture: Pixels) -> Digits:
    """Find the digits of a picture and make of each an image like those of MNIST.

    The picture has values in [0, 255]. Digits that touch are not separated.

    Raises
    ------
    PictureError
        If there is no ink, or it is not one or more lines of digits.
    """
    strength = find_ink(picture)
    digits = find_digits(strength > INK)
    images = [_image(_cut_out(digit.mask, strength)) for digit in digits]
    return Digits(np.stack(images), np.array([digit.line for digit in digits]))


def scale_whole(picture: Pixels) -> Digits:
    """Return a picture as one grey image, which is how a model of other classes sees it."""
    grey = picture[:, :, :3].mean(axis=2).clip(0, 255).round().astype(np.uint8)
    image = Image.fromarray(grey).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    return Digits(np.asarray(image).reshape(1, -1), np.zeros(1, np.int_))


def _cut_out(digit: NDArray[np.bool_], strength: Pixels) -> Pixels:
    """Return the ink of one digit without paper around it."""
    # The edge of a stroke is fainter than what counts as ink.
    near = ndimage.binary_dilation(digit, iterations=2)
    ink = np.where(near, strength, np.float32(0))
    rows, columns = (np.flatnonzero((ink > EDGE).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _image(ink: Pixels) -> NDArray[np.uint8]:
    rows, columns = (max(1, round(length * BOX / max(ink.shape))) for length in ink.shape)
    how = Image.Resampling.BOX if max(ink.shape) > BOX else Image.Resampling.BICUBIC
    small = np.asarray(Image.fromarray(ink).resize((columns, rows), how)).clip(0)
    image = np.zeros((SIZE, SIZE), np.float32)
    top, left = (
        int(np.clip(round(SIZE / 2 - centre), 0, SIZE - side))
        for centre, side in zip(ndimage.center_of_mass(small), small.shape, strict=True)
    )
    # A fine stroke fades when it is scaled down; MNIST's are white.
    image[top : top + rows, left : left + columns] = small / small.max()
    return (255 * _upright(image)).round().astype(np.uint8).ravel()


def _upright(image: Pixels) -> Pixels:
    """Halve the slant of a digit, because many hands lean further than most of MNIST's."""
    moments = moments_central(image, order=2)
    shear = moments[1, 1] / max(moments[2, 0], 1) / 2
    upright: Pixels = ndimage.affine_transform(
        image, [[1, 0], [shear, 1]], offset=[0, -shear * SIZE / 2], order=1
    )
    return upright
