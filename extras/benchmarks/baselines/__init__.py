"""The same training in other ways, each as users of that library would write it; one module each.

ADAPT: they are written for fully connected layers with ReLU between them.
"""

from collections.abc import Iterator
from itertools import islice, pairwise
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from common.config import Config
from common.model import initial_weights
from common.splits import Split
from stages.train.batches import batches


class Task:
    """One training with the settings of params.yaml; its clock starts with the task.

    ``stops`` are the numbers of iterations after which the clock is read; ``seconds``, its times.
    """

    def __init__(self, config: Config, train: Split, test: Split, stops: list[int]) -> None:
        self.config, self.train, self.test, self.stops = config, train, test, stops
        params = config.train
        self.adam = (params.learning_rate, params.beta_1, params.beta_2, params.epsilon)
        self.seconds: list[float] = []
        self._start = perf_counter()

    def sections(self) -> Iterator[NDArray[np.int32]]:
        """Yield the indices of the batches until each stop, shape (iterations, batch size)."""
        params = self.config.train
        endless = batches(len(self.train), params.batch_size, np.random.default_rng(params.seed))
        for start, stop in pairwise([0, *self.stops]):
            yield np.stack(list(islice(endless, stop - start)))
            self.seconds.append(perf_counter() - self._start)

    def layers(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Return the first matrix and bias of each layer, from the input on."""
        config, classes = self.config, len(self.config.dataset.classes)
        random = np.random.default_rng(config.train.seed)
        weights = initial_weights(config.model, self.train.features, classes, random)
        arrays = list(weights.values())
        return list(zip(arrays[::2], arrays[1::2], strict=True))
