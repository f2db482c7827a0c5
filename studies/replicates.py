"""Train every run with many seeds, and say how much an accuracy varies.

    python -m studies.replicates data/flat studies metrics/reference.json

30 seeds take about four minutes on two cores, in one process: TensorFlow starts once, the program
is compiled once, and as a run with more iterations begins like one with fewer, each seed is trained
only as long as the longest. It writes replicates.csv, replicates.json and replicates.png, and what
the gate compares a run with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from stages import arrays, inference, plots, reference, settings, tutorial
from stages.arrays import Examples
from stages.console import StageError, command_line, progress, run, say
from stages.files import replacing
from stages.inference import Weights
from stages.reference import ACCURACIES, EVERY_ITERATIONS, Reference, RunReference
from stages.settings import Settings

CONFIDENCE = 0.95


def accuracy(weights: Weights, examples: Examples) -> float:
    """Give the fraction of images that are read right."""
    answers = inference.logits(weights, examples.images).argmax(axis=1)
    return int((answers == examples.labels).sum()) / len(examples)


def train(chosen: Settings, parts: dict[str, Examples]) -> Iterator[dict[str, Any]]:
    """Train with each seed, and measure each run when its last iteration is done.

    Yields
    ------
    dict
        ``run``, ``seed``, the accuracies, and ``costs`` (iterations,).

    Raises
    ------
    StageError
        If a training diverges.
    """
    from stages.network import Training

    ordered = sorted(chosen.runs.items(), key=lambda item: item[1].iterations)
    training = Training(chosen.train, parts["train"], len(chosen.dataset.classes))
    for seed in range(chosen.train.seed, chosen.train.seed + chosen.replicates.seeds):
        training.restart(chosen.train.model_copy(update={"seed": seed}))
        costs = np.empty(0, np.float32)
        for name, wanted in ordered:
            further = training.costs(wanted.iterations - len(costs))
            costs = np.concatenate([costs, *further])
            if not np.isfinite(costs).all():
                raise StageError(f"seed {seed}: the cost of {name} is not finite")
            weights = training.weights()
            measured = {part: accuracy(weights, examples) for part, examples in parts.items()}
            yield {"run": name, "seed": seed, **measured, "costs": costs}


def table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Lay the results out: a row a training, a column for the cost at each 100th iteration."""

    def row(given: dict[str, Any]) -> dict[str, Any]:
        costs = given["costs"][::EVERY_ITERATIONS]
        named = {f"cost_{number * EVERY_ITERATIONS}": cost for number, cost in enumerate(costs)}
        return (
            {"run": given["run"], "seed": given["seed"]}
            | {part: given[part] for part in ACCURACIES}
            | named
        )

    return pd.DataFrame([row(given) for given in rows])


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


def describe(chosen: Settings, results: pd.DataFrame) -> dict[str, Any]:
    """Say of each run how its test accuracy varies, and of the last how it differs from the others.

    Runs are compared in the order of their iterations.
    """
    tests = {name: results.loc[results["run"] == name, "test"].to_numpy() for name in chosen.runs}
    longest = max(chosen.runs, key=lambda name: chosen.runs[name].iterations)
    return {
        "seeds": chosen.replicates.seeds,
        "runs": {
            name: summary(tests[name], wanted.min_test_accuracy)
            for name, wanted in chosen.runs.items()
        },
        "comparisons": {
            f"{longest} - {name}": comparison(values, tests[longest])
            for name, values in tests.items()
            if name != longest
        },
    }


def picture(chosen: Settings, results: pd.DataFrame) -> bytes:
    """Draw the results, with what the tutorial has printed among them."""
    published = tutorial.FIGURES if chosen.dataset_name == tutorial.DATASET else {}
    return plots.replicates(
        results,
        {name: wanted.min_test_accuracy for name, wanted in chosen.runs.items()},
        {step: cost for figures in published.values() for step, cost in figures.costs.items()},
        {
            name: test
            for name, wanted in chosen.runs.items()
            if wanted.iterations in published and (test := published[wanted.iterations].test)
        },
    )


def refer(chosen: Settings, rows: list[dict[str, Any]]) -> Reference:
    """Summarise what the gate compares a run with."""
    runs = {}
    for name in chosen.runs:
        own = [row for row in rows if row["run"] == name]
        logarithms = np.array([reference.log_costs(row["costs"]) for row in own])
        runs[name] = RunReference(
            accuracies={part: reference.spread([row[part] for row in own]) for part in ACCURACIES},
            log_costs={
                number * EVERY_ITERATIONS: reference.spread(column)
                for number, column in enumerate(logarithms.T)
            },
        )
    return Reference(digest=reference.digest(chosen), seeds=chosen.replicates.seeds, runs=runs)


def main() -> None:
    """Read the arguments, settings and arrays; train; write the table, its summary, a picture."""
    parser = command_line("replicates", __doc__, "studies")
    parser.add_argument("flat", type=Path, help="where the arrays are: data/flat")
    parser.add_argument("folder", type=Path, help="where the results go: studies")
    parser.add_argument("reference", type=Path, help="for the gate: metrics/reference.json")
    arguments = parser.parse_args()
    chosen = settings.load()
    parts = {part: arrays.load_examples(arguments.flat / f"{part}.npz") for part in arrays.PARTS}
    rows: list[dict[str, Any]] = []
    with progress("training", len(chosen.runs) * chosen.replicates.seeds) as advance:
        for row in train(chosen, parts):
            say(f"seed {row['seed']}: {row['run']}: test {row['test']:.2%}")
            rows.append(row)
            advance(1)
    results = table(rows)
    described = describe(chosen, results)
    with replacing(arguments.folder / "replicates.csv") as file:
        file.write(results.to_csv(index=False).encode())
    with replacing(arguments.folder / "replicates.json") as file:
        file.write(json.dumps(described, indent=2).encode() + b"\n")
    with replacing(arguments.folder / "replicates.png") as file:
        file.write(picture(chosen, results))
    reference.save(arguments.reference, refer(chosen, rows))
    for name, values in described["runs"].items():
        say(
            f"{name}: test accuracy {values['mean']:.2%} ± {values['deviation']:.2%} over "
            f"{described['seeds']} seeds, smallest {values['smallest']:.2%}"
        )


if __name__ == "__main__":
    run(main)
