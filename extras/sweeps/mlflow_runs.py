"""A sweep in MLflow: one run with its settings and results, and a child run per trial."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from common.command_line import progress
from extras.sweeps.search_space import Sweep
from stages.track.mlflow_store import Metric, MlflowClient, Param, open_store

STATUSES = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


def track_sweep(
    path: Path,
    dataset: str,
    digest: str,
    sweep: Sweep,
    table: pd.DataFrame,
    ranking: pd.DataFrame,
) -> None:
    """Write the runs of a sweep, in place of those that the same sweep has already.

    Parameters
    ----------
    path
        The sweep file; the results are in the folder beside it.
    dataset
        The name of the dataset.
    digest
        Identifies what the results follow from.
    sweep
        What was searched.
    table, ranking
        As `extras.sweeps.trials.run` and `extras.sweeps.sweep.rank` return them.

    Raises
    ------
    CommandError
        If the store cannot be reached or written to.
    """
    # One time for all: MLflow would show how long this takes, as if it were the training.
    now = time.time_ns() // 1_000_000
    tags = {"digest": digest, "mlflow.source.name": "extras/sweeps/sweep.py"}
    with open_store(Path.cwd()) as store:
        client, experiment = store.client, store.experiment(f"{dataset}-sweeps")
        while runs := client.search_runs([experiment], f"tags.digest = '{digest}'"):
            for run in runs:
                client.delete_run(run.info.run_id)
        parent = client.create_run(experiment, now, tags, path.stem).info.run_id
        _log_sweep(client, parent, sweep, ranking, now)
        for file in (path, *path.with_suffix("").iterdir()):
            client.log_artifact(parent, str(file))
        with progress("writing MLflow runs", len(table)) as advance:
            for row in table.to_dict("records"):
                child_tags = {**tags, "mlflow.parentRunId": parent}
                child = client.create_run(experiment, now, child_tags, f"trial {row['trial']}")
                _log_trial(client, child.info.run_id, row, now)
                advance(1)
        is_complete = len(table) == sweep.trials * sweep.seeds
        client.set_terminated(parent, "FINISHED" if is_complete else "KILLED", now)


def _log_sweep(
    client: MlflowClient, run: str, sweep: Sweep, ranking: pd.DataFrame, now: int
) -> None:
    document = sweep.model_dump(exclude_none=True)
    document |= document.pop("parameters") | document.pop("resources")
    params = [Param(name, str(value)) for name, value in document.items()]
    metrics = []
    for best in ranking.head(1).to_dict("records"):
        params += [Param(f"best.{name}", str(best[name])) for name in sweep.parameters]
        metrics.append(Metric("best_accuracy_validation", best["validation"], now, 0))
    client.log_batch(run, metrics=metrics, params=params)


def _log_trial(client: MlflowClient, run: str, row: Mapping[str, Any], now: int) -> None:
    metrics = [
        Metric(name, value, now, iterations)
        for iterations, cost, validation in row["history"] or ()
        for name, value in (("cost_smoothed", cost), ("accuracy_validation", validation))
    ]
    # The settings are the names of params.yaml, which have a dot.
    params = [Param(name, str(value)) for name, value in row.items() if "." in name]
    client.log_batch(run, metrics=metrics, params=params)
    client.set_terminated(run, STATUSES[row["status"]], now)
