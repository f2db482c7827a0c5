"""A sweep in MLflow: one run with its settings and results, and a child run per trial."""

import time
from collections.abc import Mapping
from typing import Any

from extras.sweeps.results import SweepResults
from stages.track.location import repository
from stages.track.mlflow_store import open_store, origin_tags
from stages.track.provenance import current
from support.command_line import progress

# isort: split
# After mlflow_store, which sets variables that MLflow reads when it is imported.
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

STATUSES = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


def track_sweep(results: SweepResults, dataset: str, fingerprint: str) -> None:
    """Write the runs of a sweep, and replace those that have the same fingerprint."""
    # Start and end are equal, because the time between would look like that of the training.
    now = time.time_ns() // 1_000_000
    tags = {"fingerprint": fingerprint, "mlflow.source.name": "extras/sweeps/sweep.py"}
    with open_store(repository()) as store:
        client, experiment = store.client, store.experiment_id(f"{dataset}-sweeps")
        while runs := client.search_runs([experiment], f"tags.fingerprint = '{fingerprint}'"):
            for run in runs:
                client.delete_run(run.info.run_id)
        parent_tags = tags | origin_tags(current())
        parent = client.create_run(experiment, now, parent_tags, results.folder.name).info.run_id
        _log_sweep(client, parent, results, now)
        child_tags = tags | {"mlflow.parentRunId": parent}
        with progress("writing MLflow runs", len(results.table)) as advance:
            for row in results.table.to_dict("records"):
                child = client.create_run(experiment, now, child_tags, f"trial {row['trial']}")
                _log_trial(client, child.info.run_id, row, now)
                advance(1)
        client.set_terminated(parent, "FINISHED" if results.is_complete else "KILLED", now)


def _log_sweep(client: MlflowClient, run: str, results: SweepResults, now: int) -> None:
    document = results.sweep.model_dump()
    document |= document.pop("parameters") | document.pop("resources")
    document |= {f"best.{name}": value for name, value in results.best.items()}
    client.log_batch(run, params=[Param(name, str(value)) for name, value in document.items()])
    if results.best:
        client.log_metric(run, "best_accuracy_validation", results.best["validation"], now, 0)
    for file in (results.path, *results.folder.iterdir()):
        client.log_artifact(run, str(file))


def _log_trial(client: MlflowClient, run: str, row: Mapping[Any, Any], now: int) -> None:
    metrics = [
        Metric(name, value, now, iterations)
        for iterations, cost, validation in row["history"] or ()
        for name, value in (("cost_window_mean", cost), ("accuracy_validation", validation))
    ]
    # Only settings have a dot in their names.
    params = [Param(name, str(value)) for name, value in row.items() if "." in name]
    client.log_batch(run, metrics=metrics, params=params)
    client.set_terminated(run, STATUSES[row["status"]], now)
