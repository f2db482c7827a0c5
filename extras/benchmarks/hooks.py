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
    rounds = json.loads(RESULTS.read_bytes())["rounds"]
    times = {
        run: [measured[name] for measured in rounds if (name := f"train {run}/seconds") in measured]
        for run in config.runs
    }
    return {"Time": {run: f"{median(values):.1f} s" for run, values in times.items() if values}}
