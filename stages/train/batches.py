"""Which images each iteration sees: every image once an epoch, in a new order each epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def batches(
    images: int, batch_size: int, random: np.random.Generator
) -> Iterator[NDArray[np.int32]]:
    """Draw batches without end.

    A batch that meets the end of an epoch takes the rest of it and goes on in the next, as the
    tutorial's ``next_batch`` does. Only one epoch's order is in memory at a time.

    Parameters
    ----------
    images
        How many images there are; at least 1.
    batch_size
        How many indices a batch has; may be more than `images`.
    random
        What the orders are drawn from.

    Yields
    ------
    ndarray of int32, shape (batch_size,)
        Indices in [0, images).
    """
    order = np.empty(0, np.int32)
    while True:
        while len(order) < batch_size:
            order = np.concatenate([order, random.permutation(images).astype(np.int32)])
        yield order[:batch_size]
        order = order[batch_size:]
