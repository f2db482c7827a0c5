"""Add the training time of each run to the table of `commands.summary`."""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from common.config import Config

RESULTS = Path(__file__).with_name("results.json")


def summary_columns(config: Config) -> dict[str, Mapping[str, str]]:
    """Return the measured time of each run's training process, if there is a measurement."""
    if not RESULTS.exists():
        return {}
    # In pyperf's format; pyperf itself is installed for the benchmarks only.
    times = {
        benchmark["metadata"]["name"]: [v for run in benchmark["runs"] for v in run["values"]]
        for benchmark in json.loads(RESULTS.read_bytes())["benchmarks"]
    }
    names = {run: f"train {run}: seconds" for run in config.runs}
    return {
        "Time": {
            run: f"{median(times[name]):.1f} s" for run, name in names.items() if name in times
        }
    }
