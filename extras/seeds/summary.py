"""Summarise how much a result varies with the seed.

    python -m extras.seeds.summary extras/seeds/results.csv extras/seeds

Writes reference.json and results.png, and prints a threshold for each run. A few seconds.
"""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from common.config import Config, load_config
from common.splits import SPLITS
from extras.seeds.plots import draw
from extras.seeds.reference import MeanStd, Reference, RunReference, fingerprint, logarithms
from support.command_line import echo, read_paths, run
from support.files import atomic_write


def miss_probability(accuracies: NDArray[np.float64], threshold: float) -> float:
    """Return the probability that another seed misses the threshold.

    It is that of Student's distribution for one more value, whose standard deviation includes the
    uncertainty of the mean.
    """
    count = len(accuracies)
    t = MeanStd.of(accuracies).z_score(threshold) / np.sqrt(1 + 1 / count)
    return float(stats.t.cdf(t, count - 1))


def threshold(test: MeanStd) -> float:
    """Return a threshold that hardly any seed misses, four standard deviations below the mean.

    >>> threshold(MeanStd(mean=0.959, std=0.0023))
    0.949
    """
    return max(0.0, math.floor(1000 * (test.mean - 4 * test.std)) / 1000)


def summarise(config: Config, name: str, results: pd.DataFrame) -> RunReference:
    """Return the statistics of a run; its results have one row per seed."""
    test, threshold = results["test"].to_numpy(), config.run(name).min_test_accuracy
    costs = results.filter(like="cost_").dropna(axis="columns")
    log_costs = {str(name): MeanStd.of(logarithms(values)) for name, values in costs.items()}
    return RunReference(
        fingerprint=fingerprint(config, name),
        **{split: MeanStd.of(results[split].to_numpy()) for split in SPLITS},
        lowest_test=float(test.min()),
        miss_probability=miss_probability(test, threshold),
        log_costs={int(name.removeprefix("cost_")): one for name, one in log_costs.items()},
    )


def main() -> None:
    path, folder = read_paths("extras.seeds.summary", __doc__, "results folder")
    config = load_config()
    # Only an empty field is a missing value: a run may be named NA.
    results = pd.read_csv(path, keep_default_na=False, na_values=[""])
    runs = {name: summarise(config, name, results[results["run"] == name]) for name in config.runs}
    for name, statistics in runs.items():
        test = statistics.test
        accuracy = f"{name}: test accuracy {test.mean:.2%} ± {test.std:.2%}"
        echo(f"{accuracy}; four standard deviations below is min_test_accuracy: {threshold(test)}")
    reference = Reference(seeds=results["seed"].nunique(), runs=runs)
    atomic_write(folder / "reference.json", f"{reference.model_dump_json(indent=1)}\n".encode())
    atomic_write(folder / "results.png", draw(config, results))


if __name__ == "__main__":
    run(main)
