"""Add the comparison with many seeds to the gate and to the summary."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from common.config import Config
from common.results import Result
from common.tables import load_csv
from extras.seeds.reference import load_reference, outliers
from support.command_line import InputError, echo


def gate_failures(config: Config, results: Mapping[str, Result]) -> Iterator[str]:
    """Print how far each run is from the reference, and yield each value that is too far."""
    try:
        reference = load_reference(config)
    except InputError as error:
        echo(f"not compared with other seeds: {error}")
        return
    mean = f"standard deviations from the mean of {reference.seeds} seeds"
    for name, run in reference.runs.items():
        if not (result := results.get(name)):
            continue  # the gate itself reports it
        z_score = run.test.z_score(result.test)
        echo(f"{name}: test accuracy {result.test:.2%} is {z_score:+z.1f} {mean}")
        path = Path(f"costs/{name}.csv")  # which a clone may lack
        costs = load_csv(path, {"cost": "float32"})["cost"] if path.exists() else np.empty(0)
        for value, z_score in outliers(run, result, np.asarray(costs, np.float32)):
            yield f"{name}: {value} is {z_score:+z.1f} {mean}"


def summary_columns(config: Config) -> dict[str, dict[str, str]]:
    """Return the mean test accuracy of each run, ± the standard deviation over the seeds."""
    try:
        reference = load_reference(config)
    except InputError:
        return {}
    cells = {
        name: f"{100 * run.test.mean:.2f} ± {100 * run.test.std:.2f} %"
        for name, run in reference.runs.items()
    }
    return {f"{reference.seeds} seeds, test": cells}
