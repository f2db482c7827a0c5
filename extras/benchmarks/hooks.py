"""Add the training time of each run to the table of `commands.summary`."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from common.config import Config
from common.results import load_model

RESULTS = Path(__file__).with_name("results.json")
MODELS = Path("models")
IRRELEVANT = {"log_every_iterations", "validate_every_iterations", "checkpoint_every_seconds"}


def settings(config: Config, name: str) -> dict[str, Any]:
    """Return what was trained in a run, as JSON has it."""
    return {
        "architecture": load_model(MODELS / name).architecture,
        "dataset": config.dataset.title,
        "iterations": config.run(name).iterations,
        "train": config.train.model_dump(exclude=IRRELEVANT | {"seed"}),
    }


def summary_columns(config: Config) -> dict[str, dict[str, str]]:
    """Return the measured time of each run's training process, where it is the same training."""
    results = json.loads(RESULTS.read_bytes())
    medians = pd.DataFrame(results["rounds"]).median()
    cells = {
        name: f"{medians[f'train {name}/seconds']:.1f} s"
        for name, measured in results["settings"].items()
        if name in config.runs and (MODELS / name).exists() and settings(config, name) == measured
    }
    return {"Time": cells} if cells else {}
