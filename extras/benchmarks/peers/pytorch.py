"""PyTorch: a Sequential module, fused Adam, and a loop; compiled if asked.

    python -m extras.benchmarks.peers.pytorch data/flat 1000 10000
    python -m extras.benchmarks.peers.pytorch --compile data/flat 1000 10000

The images are one tensor, and a batch is taken by its indices: a DataLoader takes longer.
Compiling needs a C++ compiler, and what an earlier run compiled is not used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from extras.benchmarks.peers import contest
from stages.train.batches import batches


def train(
    images: NDArray[Any], labels: NDArray[Any], stops: Sequence[int], *, compiled: bool
) -> Iterator[contest.Predict]:
    """Take a step of Adam for each batch."""
    pixels, answers = torch.from_numpy(images), torch.from_numpy(labels)
    widths = [images.shape[1], *contest.HIDDEN_UNITS, contest.CLASSES]
    layers = [nn.Linear(inputs, units) for inputs, units in pairwise(widths)]
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    network = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    optimizer = torch.optim.Adam(network.parameters(), contest.LEARNING_RATE, fused=True)
    forward = torch.compile(network) if compiled else network
    drawn = batches(len(images), contest.BATCH_SIZE, np.random.default_rng(0))
    costs = []
    for iterations in contest.sections(stops):
        for _ in range(iterations):
            rows = torch.from_numpy(next(drawn))
            cost = nn.functional.cross_entropy(forward(pixels[rows]), answers[rows])
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            costs.append(cost.detach())
        torch.stack(costs).numpy()
        yield partial(_predict, network)


def _predict(network: nn.Module, images: NDArray[Any]) -> NDArray[Any]:
    with torch.no_grad():
        return np.asarray(network(torch.from_numpy(images)).argmax(dim=1))


def main() -> None:
    """Read the arguments and train."""
    parser = contest.argument_parser("pytorch", __doc__)
    parser.add_argument("--compile", action="store_true", help="use torch.compile")
    arguments = parser.parse_args()
    config = partial(train, compiled=arguments.compile)
    contest.run(config, arguments.flat, arguments.stops, package="torch")


if __name__ == "__main__":
    main()
