"""Add the comparison with many seeds to the gate and to the summary."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from common.config import Config
from common.results import Result
from common.tables import load_csv
from extras.seeds.reference import load_reference, z_scores
from support.command_line import echo

MAX_Z_SCORE = 4.0


def gate_failures(config: Config, results: Mapping[str, Result]) -> Iterator[str]:
    """Print how far each run is from the reference, and yield each value that is too far."""
    reference = load_reference()
    mean = f"standard deviations from the mean of {reference.seeds} seeds"
    for name in config.runs:
        run, result = reference.find(config, name), results[name]
        if run is None:
            echo(f"{name}: not compared: `make seeds` has not seen these settings and this model")
            continue
        z_score = run.test.z_score(result.test)
        echo(f"{name}: test accuracy {result.test:.2%} is {z_score:+z.1f} {mean}")
        path = Path(f"costs/{name}.csv")  # which a clone may lack
        costs = load_csv(path, {"cost": "float32"})["cost"] if path.exists() else ()
        for value, z_score in z_scores(run, result, np.asarray(costs, np.float32)):
            if abs(z_score) > MAX_Z_SCORE:
                yield f"{name}: {value} is {z_score:+z.1f} {mean}"


def summary_columns(config: Config) -> dict[str, dict[str, str]]:
    """Return the mean test accuracy of each run, ± the standard deviation over the seeds."""
    reference = load_reference()
    cells = {
        name: f"{100 * run.test.mean:.2f} ± {100 * run.test.std:.2f} %"
        for name in config.runs
        if (run := reference.find(config, name))
    }
    return {f"{reference.seeds} seeds, mean ± std": cells} if cells else {}
