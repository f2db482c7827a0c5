"""A sweep in MLflow: one run with its settings and results, and a child run per trial."""

from extras.sweeps.results import SweepResults
from stages.track.provenance import current
from stages.track.store import open_store
from support.files import repository

STATUSES = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


def track_sweep(results: SweepResults, dataset: str, fingerprint: str) -> None:
    """Write the runs of a sweep, and replace those that have the same fingerprint."""
    tags = {"fingerprint": fingerprint, "mlflow.source.name": "extras/sweeps/sweep.py"}
    with open_store(repository()) as store:
        import mlflow  # here, because `open_store` sets what MLflow reads when it is imported

        experiment = store.experiment_id(f"{dataset}-sweeps")
        while runs := store.client.search_runs([experiment], f"tags.fingerprint = '{fingerprint}'"):
            for run in runs:
                store.client.delete_run(run.info.run_id)
        origin = {**tags, **current().tags}
        mlflow.start_run(experiment_id=experiment, run_name=results.folder.name, tags=origin)
        settings = results.sweep.model_dump()
        settings |= settings.pop("parameters") | settings.pop("resources")
        mlflow.log_params(settings | {f"best.{name}": results.best[name] for name in results.best})
        if results.best:
            mlflow.log_metric("best_accuracy_validation", results.best["validation"])
        for file in (results.path, *results.folder.iterdir()):
            mlflow.log_artifact(str(file))
        for row in results.table.to_dict("records"):
            name = f"trial {row['trial']}"
            mlflow.start_run(experiment_id=experiment, run_name=name, nested=True, tags=tags)
            # Only settings have a dot in their names.
            mlflow.log_params({str(key): value for key, value in row.items() if "." in str(key)})
            for iterations, cost, accuracy in row["history"] or ():
                metrics = {"cost_window_mean": cost, "accuracy_validation": accuracy}
                mlflow.log_metrics(metrics, iterations)
            mlflow.end_run(STATUSES[row["status"]])
        mlflow.end_run("FINISHED" if results.is_complete else "KILLED")
