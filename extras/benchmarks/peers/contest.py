"""What all peers have in common: the images, the clock, and one line of JSON at the end."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

BATCH_SIZE = 64
LEARNING_RATE = 0.001
HIDDEN_UNITS = (128, 64)
CLASSES = 10

# Says which class each image is of.
Predict = Callable[[NDArray[Any]], NDArray[Any]]
# Takes images, labels, and at which numbers of iterations to stop: there it gives a `Predict`.
Train = Callable[[NDArray[Any], NDArray[Any], Sequence[int]], Iterator[Predict]]


def argument_parser(module: str, doc: str | None) -> ArgumentParser:
    """Make the parser of a peer's arguments; a peer may add its own."""
    parser = ArgumentParser(
        prog=f"python -m extras.benchmarks.peers.{module}",
        description=doc,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("flat", type=Path, help="where the arrays are: data/flat")
    parser.add_argument("stops", type=int, nargs="+", help="iterations: 1000 10000")
    return parser


def run(
    train: Train, flat: Path, stops: Sequence[int], *, package: str, floats: bool = True
) -> None:
    """Train, and print seconds, right answers and the version as one line of JSON.

    The clock starts when everything is imported and the images are in memory, and so includes
    building, tracing and compiling.

    Parameters
    ----------
    train
        What is measured.
    flat
        Where the arrays are.
    stops
        Numbers of iterations, in ascending order.
    package
        Whose version is printed.
    floats
        Whether the images are float32 in [0, 1]; else they are uint8 in [0, 255].
    """
    images, labels = _load(flat / "train.npz", floats=floats)
    seconds = {}
    start = perf_counter()
    predictors = []
    for stop, predict in zip(stops, train(images, labels, stops), strict=True):
        seconds[stop] = perf_counter() - start
        predictors.append(predict)
    images, labels = _load(flat / "test.npz", floats=floats)
    right = int((predictors[-1](images) == labels).sum())
    measured = {
        "seconds": seconds,
        "right": right,
        "images": len(labels),
        "version": f"{package} {version(package)}",
    }
    sys.stdout.write(json.dumps(measured) + "\n")


def _load(path: Path, *, floats: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    with np.load(path) as part:
        images, labels = part["images"], part["labels"]
    if floats:
        images = images.astype(np.float32) / np.float32(255)
    return images, labels.astype(np.int64)


def sections(stops: Sequence[int]) -> list[int]:
    """Give the number of iterations from each stop to the next."""
    return [after - before for before, after in pairwise([0, *stops])]


def xavier(inputs: int, units: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Draw a layer's first weights."""
    limit = np.sqrt(6 / (inputs + units))
    return random.uniform(-limit, limit, (inputs, units)).astype(np.float32)
