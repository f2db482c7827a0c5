"""Summarise how much a result varies with the seed.

    python -m extras.seeds.summary extras/seeds/results.csv extras/seeds

Writes summary.json and results.png for the reader, and reference.json for the gate. A few seconds.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from common.config import Config, load_config
from common.splits import SPLITS
from extras.seeds.reference import Reference, RunReference, fingerprint, logarithms, mean_std
from support.command_line import argument_parser, echo, run
from support.files import atomic_write


def summarise(accuracies: NDArray[np.float64], threshold: float) -> dict[str, float]:
    """Return the mean, the standard deviation and the minimum of the test accuracies of a run.

    And ``miss_probability``, with which another seed misses the threshold: that of Student's
    distribution for one more value, whose standard deviation includes the uncertainty of the mean.
    """
    count, mean, std = len(accuracies), accuracies.mean(), accuracies.std(ddof=1)
    with np.errstate(divide="ignore"):  # without variation the probability is 0 or 1
        t = (threshold - mean) / (std * np.sqrt(1 + 1 / count))
    summary = {
        "mean": mean,
        "std": std,
        "min": accuracies.min(),
        "min_test_accuracy": threshold,
        "miss_probability": stats.t.cdf(t, count - 1),
    }
    # Six digits are the same whatever the processor makes of the sixteenth.
    return {name: float(f"{value:.6g}") for name, value in summary.items()}


def summarise_for_gate(config: Config, results: pd.DataFrame) -> Reference:
    """Return the statistics that the gate compares a run with."""
    runs = {}
    for name in config.runs:
        table = results[results["run"] == name].dropna(axis="columns")
        accuracies = {split: mean_std(table[split].to_numpy()) for split in SPLITS}
        log_costs = {
            int(column.removeprefix("cost_")): mean_std(logarithms(table[column].to_numpy()))
            for column in table.columns
            if column.startswith("cost_")
        }
        runs[name] = RunReference(**accuracies, log_costs=log_costs)
    return Reference(fingerprint=fingerprint(config), seeds=results["seed"].nunique(), runs=runs)


def main() -> None:
    """Read the arguments, the settings and the results; write the three files."""
    parser = argument_parser("extras.seeds.summary", __doc__)
    parser.add_argument("results", type=Path, help="the table: extras/seeds/results.csv")
    parser.add_argument("folder", type=Path, help="for the three files: extras/seeds")
    arguments = parser.parse_args()
    config = load_config()
    # Only an empty field is a missing value: a run may be named NA.
    results = pd.read_csv(arguments.results, keep_default_na=False, na_values=[""])
    from extras.seeds.plots import draw  # here, because matplotlib takes a second to start

    reference = summarise_for_gate(config, results)
    runs = {}
    for name, params in config.runs.items():
        accuracies = results.loc[results["run"] == name, "test"].to_numpy()
        runs[name] = summarise(accuracies, params.min_test_accuracy)
        echo(f"{name}: test accuracy {runs[name]['mean']:.2%} ± {runs[name]['std']:.2%}")
    summary = json.dumps({"seeds": reference.seeds, "runs": runs}, indent=2)
    atomic_write(arguments.folder / "summary.json", f"{summary}\n".encode())
    content = f"{reference.model_dump_json(indent=1)}\n"
    atomic_write(arguments.folder / "reference.json", content.encode())
    atomic_write(arguments.folder / "results.png", draw(config, results))


if __name__ == "__main__":
    run(main)
