"""Where the MLflow store is, and a look into it without MLflow, which takes a second to start."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"

FINISHED = """
    SELECT tags.value FROM tags
    JOIN runs ON runs.run_uuid = tags.run_uuid
    JOIN experiments ON experiments.experiment_id = runs.experiment_id
    WHERE tags.key = 'digest' AND runs.status = 'FINISHED'
    AND runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'
    AND experiments.artifact_location = ?
"""


def address(root: Path) -> str:
    """Give the store's address: `MLFLOW_TRACKING_URI`, or a database in the repository."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / DATABASE}"


def artifacts(root: Path) -> str:
    """Give the address of the folder that keeps models and pictures beside the database."""
    return (root / ARTIFACTS).as_uri()


def finished(root: Path) -> set[str]:
    """Give the digests of the finished runs in the repository's database.

    Returns
    -------
    set of str
        Empty where that is not the store, or is none that can be read here: MLflow then tells.
    """
    if address(root) != f"sqlite:///{root / DATABASE}" or not (root / DATABASE).exists():
        return set()
    try:
        with closing(sqlite3.connect(f"file:{root / DATABASE}?mode=ro", uri=True)) as database:
            return {value for (value,) in database.execute(FINISHED, [artifacts(root)])}
    except sqlite3.Error:
        return set()
