"""Which images each iteration sees."""

from __future__ import annotations

from itertools import islice

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.train.batches import batches


@given(images=st.integers(1, 50), batch_size=st.integers(1, 60), seed=st.integers(0, 9))
def test_every_epoch_shows_every_image_once(images: int, batch_size: int, seed: int) -> None:
    """The batches one after the other are permutations one after the other."""
    epochs = 3
    drawn = batches(images, batch_size, np.random.default_rng(seed))
    some = list(islice(drawn, -(-epochs * images // batch_size)))
    assert {(batch_size,)} == {batch.shape for batch in some}
    assert {np.dtype(np.int32)} == {batch.dtype for batch in some}
    for epoch in np.concatenate(some)[: epochs * images].reshape(epochs, images):
        assert list(range(images)) == sorted(epoch)


def test_the_order_follows_from_the_seed_and_changes_each_epoch() -> None:
    """The same seed draws the same order; another seed and the next epoch another."""

    def order(seed: int) -> list[list[int]]:
        return [list(b) for b in islice(batches(100, 100, np.random.default_rng(seed)), 2)]

    assert order(1) == order(1)
    assert order(1) != order(2)
    first, second = order(1)
    assert first != second
