"""Draw batches: every example once per epoch, in a new order in each epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def batches(
    examples: int, batch_size: int, random: np.random.Generator
) -> Iterator[NDArray[np.int32]]:
    """Draw batches forever.

    A batch that crosses the end of an epoch is completed from the next epoch's order, as in the
    tutorial's ``next_batch``. Only one epoch's order is in memory at a time.

    Yields
    ------
    ndarray of int32, shape (batch_size,)
        Indices in [0, examples).

    Examples
    --------
    >>> endless = batches(5, 2, np.random.default_rng(0))
    >>> [next(endless).tolist() for _ in range(3)]
    [[2, 4], [3, 0], [1, 4]]
    """
    order = np.empty(0, np.int32)
    while True:
        while len(order) < batch_size:
            order = np.concatenate([order, random.permutation(examples).astype(np.int32)])
        yield order[:batch_size]
        order = order[batch_size:]
