"""Say how much a result varies with the seed.

    python -m extras.seeds.spread extras/seeds/replicates.csv studies extras/seeds/reference.json

A few seconds. It writes replicates.json and replicates.png, and what the gate compares a run with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from common.atomic import atomic_write
from common.command_line import InputError, argument_parser, echo, run
from common.config import Config, load_config
from extras.seeds import reference
from extras.seeds.reference import ACCURACIES, Reference, RunReference
from stages.report import plots, tutorial

CONFIDENCE = 0.95


def summary(values: NDArray[np.float64], threshold: float) -> dict[str, float]:
    """Describe the test accuracies of a run.

    Returns
    -------
    dict
        ``mean``, ``deviation``, ``smallest``, the 95 % interval of the mean, and the probability
        that another seed misses the threshold: that of Student's distribution for one further
        value (the deviation widened by the uncertainty of the mean).
    """
    count, mean, deviation = len(values), values.mean(), values.std(ddof=1)
    low, high = stats.t.interval(CONFIDENCE, count - 1, mean, deviation / np.sqrt(count))
    away = (threshold - mean) / (deviation * np.sqrt(1 + 1 / count))
    described = {
        "mean": mean,
        "deviation": deviation,
        "smallest": values.min(),
        "interval_low": low,
        "interval_high": high,
        "min_test_accuracy": threshold,
        "probability_of_missing_it": stats.t.cdf(away, count - 1),
    }
    return {name: _rounded(value) for name, value in described.items()}


def comparison(first: NDArray[np.float64], second: NDArray[np.float64]) -> dict[str, float]:
    """Compare the test accuracies of two runs, seed by seed, with a paired t test."""
    tested = stats.ttest_rel(second, first)
    interval = tested.confidence_interval(CONFIDENCE)
    described = {
        "mean_difference": (second - first).mean(),
        "interval_low": interval.low,
        "interval_high": interval.high,
        "t": tested.statistic,
        "p_value": tested.pvalue,
    }
    return {name: _rounded(value) for name, value in described.items()}


def _rounded(value: float) -> float:
    # Six digits say all, and are the same whatever the processor does to the last of sixteen.
    return float(f"{value:.6g}")


def describe(config: Config, results: pd.DataFrame) -> dict[str, Any]:
    """Say of each run how its test accuracy varies, and of the last how it differs from the others.

    Runs are compared in the order of their iterations.
    """
    tests = {name: results.loc[results["run"] == name, "test"].to_numpy() for name in config.runs}
    longest = config.longest_run
    return {
        "seeds": config.replicates.seeds,
        "runs": {
            name: summary(tests[name], wanted.min_test_accuracy)
            for name, wanted in config.runs.items()
        },
        "comparisons": {
            f"{longest} - {name}": comparison(values, tests[longest])
            for name, values in tests.items()
            if name != longest
        },
    }


def picture(config: Config, results: pd.DataFrame) -> bytes:
    """Draw the results, with what the tutorial has printed among them."""
    published = tutorial.figures(config.dataset_name)
    return plots.replicates(
        results,
        {name: wanted.min_test_accuracy for name, wanted in config.runs.items()},
        tutorial.costs(config.dataset_name),
        {
            name: test
            for name, wanted in config.runs.items()
            if wanted.iterations in published and (test := published[wanted.iterations].test)
        },
    )


def refer(config: Config, results: pd.DataFrame) -> Reference:
    """Summarise what the gate compares a run with."""
    runs = {}
    for name in config.runs:
        own = results[results["run"] == name].dropna(axis="columns")
        runs[name] = RunReference(
            accuracies={part: reference.spread(own[part].to_numpy()) for part in ACCURACIES},
            log_costs={
                int(column.removeprefix("cost_")): reference.spread(
                    reference.logarithms(own[column].to_numpy())
                )
                for column in own.columns
                if column.startswith("cost_")
            },
        )
    return Reference(digest=reference.digest(config), seeds=config.replicates.seeds, runs=runs)


def main() -> None:
    """Read the arguments, the settings and the trainings; write what they say, and a picture."""
    parser = argument_parser("extras.seeds.spread", __doc__)
    parser.add_argument("results", type=Path, help="a row a training: extras/seeds/replicates.csv")
    parser.add_argument("folder", type=Path, help="where the summary goes: studies")
    parser.add_argument("reference", type=Path, help="for the gate: extras/seeds/reference.json")
    arguments = parser.parse_args()
    config = load_config()
    try:
        results = pd.read_csv(arguments.results)
    except FileNotFoundError:
        raise InputError(f"{arguments.results}: not found; `make replicates` makes it") from None
    described = describe(config, results)
    atomic_write(
        arguments.folder / "replicates.json", json.dumps(described, indent=2).encode() + b"\n"
    )
    atomic_write(arguments.folder / "replicates.png", picture(config, results))
    reference.save(arguments.reference, refer(config, results))
    for name, values in described["runs"].items():
        echo(
            f"{name}: test accuracy {values['mean']:.2%} ± {values['deviation']:.2%} over "
            f"{described['seeds']} seeds, smallest {values['smallest']:.2%}"
        )


if __name__ == "__main__":
    run(main)
