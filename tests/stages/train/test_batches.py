"""Which examples each iteration sees."""

from __future__ import annotations

from itertools import islice

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.train.batches import batches


@given(examples=st.integers(1, 50), batch_size=st.integers(1, 60), seed=st.integers(0, 9))
def test_every_epoch_has_every_example_once(examples: int, batch_size: int, seed: int) -> None:
    """The batches, one after the other, are permutations, one after the other."""
    epochs = 3
    endless = batches(examples, batch_size, np.random.default_rng(seed))
    first = list(islice(endless, -(-epochs * examples // batch_size)))
    assert {(batch.shape, batch.dtype.name) for batch in first} == {((batch_size,), "int32")}
    for epoch in np.concatenate(first)[: epochs * examples].reshape(epochs, examples):
        assert sorted(epoch) == list(range(examples))
