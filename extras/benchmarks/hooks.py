"""Add the training time of each run to the table of `commands.summary`."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from common.config import Config

RESULTS = Path(__file__).with_name("results.json")


def summary_columns(config: Config) -> dict[str, Mapping[str, str]]:
    """Return the measured time of each run's training process, if there is a measurement."""
    if not RESULTS.exists():
        return {}
    medians = pd.DataFrame(json.loads(RESULTS.read_bytes())["rounds"]).median()
    times = {run: medians.get(f"train {run}/seconds") for run in config.runs}
    return {"Time": {run: f"{time:.1f} s" for run, time in times.items() if time is not None}}
