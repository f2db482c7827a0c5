"""MLflow as a view of the files: exactly one run per result, which can be rebuilt at any time.

Only `open_store` imports this module, after it has set the variables that MLflow reads.
"""

import hashlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version as installed
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Dataset, DatasetInput, Experiment, Metric
from mlflow.exceptions import MlflowException

from common.model import PACKAGES
from common.results import load_model, load_summary
from common.splits import SPLITS, load_description
from stages.track.follow import delete_provisional_runs
from stages.track.provenance import EXPERIMENT, Provenance
from stages.track.runs import DESCRIPTION, LOCK, TrackedRun, metric_name, window_means
from stages.track.store import experiment_name, is_server
from support.command_line import CommandError, echo
from support.files import files_in
from support.trainings import Training, find_trainings

# MLflow's charts draw at most this many points of a curve.
MAX_POINTS_PER_CURVE = 320
# As many costs of a run are stored; a longer run has means, and all of them in an artifact.
MAX_COSTS = 10_000
SERVED_MODEL = Path(__file__).with_name("served_model.py")


class Store:
    """An MLflow store, with MLflow's `client` for it."""

    def __init__(self, uri: str, root: Path) -> None:
        mlflow.set_tracking_uri(uri)
        self.client = mlflow.MlflowClient(uri, uri)
        self.is_server = is_server(uri)
        self.is_own = uri == f"sqlite:///{root}/mlflow.db"
        self.artifacts = None if self.is_server else (root / "mlartifacts").as_uri()

    def experiment_id(self, name: str) -> str:
        """Return the identifier of an experiment, which is created if necessary.

        Raises MlflowException if it is deleted, and CommandError if the server is not suitable.
        """
        experiment = self.client.get_experiment_by_name(name)
        if self.is_server:
            # A new experiment keeps its artifacts where the server's first one does.
            self._check_server(experiment or self.client.get_experiment("0"))
        if experiment is None:
            self.client.create_experiment(name, self.artifacts)
        elif self.is_own and experiment.artifact_location != self.artifacts:
            raise CommandError(
                f"mlflow.db is of another folder, with {experiment.artifact_location}: move this "
                "one back, or rebuild it: `rm -r mlflow.db mlartifacts`, then "
                "`python -m stages.track --all`"
            )
        return str(mlflow.set_experiment(name).experiment_id)

    def _check_server(self, experiment: Experiment) -> None:
        try:
            self.client.search_logged_models([experiment.experiment_id], max_results=1)
        except MlflowException as error:
            if error.error_code == "ENDPOINT_NOT_FOUND":
                raise CommandError("the MLflow server is too old: MLflow 3 is required") from None
            raise
        if experiment.artifact_location.startswith(("/", "file:")):
            raise CommandError(
                "the MLflow server does not serve artifacts, each client would keep them in its "
                f"own {experiment.artifact_location}; start it with --serve-artifacts"
            )

    def track(self, run: TrackedRun, origin: Provenance) -> str:
        """Store the run of a result unless it is there already, and register its model.

        Returns the run's identifier, as in the URLs of MLflow's pages.
        """
        name = experiment_name(run.params["dataset"])
        experiment_id = self.experiment_id(name)
        if not self.client.search_registered_models(f"name = '{name}'"):
            self.client.create_registered_model(name)
        run_id = self._complete_run(experiment_id, run.fingerprint)
        status = "in MLflow already" if run_id else "tracked"
        trainings = find_trainings(run.costs)
        run_id = run_id or self._log(experiment_id, run, origin, next(iter(trainings), None))
        for training in trainings:
            delete_provisional_runs(self, training)
        version = self._version(name, run_id, run)
        if not origin.committed_at and EXPERIMENT not in origin.tags:
            self._move_alias(name, run.name, version)
        echo(f"{origin.place}{run.name}: {run.summary}: {status}")
        return run_id

    def _complete_run(self, experiment_id: str, fingerprint: str) -> str | None:
        """Return the run of a result, if any, and delete interrupted attempts."""
        complete = None
        for run in self.client.search_runs([experiment_id], f"tags.fingerprint = '{fingerprint}'"):
            if run.info.status == "FINISHED":
                complete = str(run.info.run_id)
                continue
            models = f"source_run_id = '{run.info.run_id}'"
            for model in self.client.search_logged_models([experiment_id], models):
                self.client.delete_logged_model(model.model_id)
            self.client.delete_run(run.info.run_id)
        return complete

    def _log(
        self, experiment_id: str, run: TrackedRun, origin: Provenance, training: Training | None
    ) -> str:
        folder = run.folder / "models" / run.name
        architecture = load_model(folder).architecture
        iterations, times = training.times() if training else ([0], [_now(origin)])
        experiment = origin.tags.get(EXPERIMENT)
        name = f"{run.name} ({experiment})" if experiment else run.name
        tags = {**origin.tags, "fingerprint": run.fingerprint}
        tags["device"] = training.about.device if training else "unknown"
        description = load_summary(folder).description
        tags["mlflow.note.content"] = f"{architecture}; {run.summary}. {description}"
        run_id = str(self.client.create_run(experiment_id, times[0], tags, name).info.run_id)
        with mlflow.start_run(run_id):  # failed, unless all of this succeeds
            mlflow.log_params({**run.params, "architecture": architecture})
            data = Dataset(run.params["dataset"], run.md5["data/flat"], "local", "data/flat")
            self.client.log_inputs(run_id, [DatasetInput(data)])
            _log_files(run, origin.patch)
            # Before the costs, because it reads all metrics that there are.
            model_id = _log_model(run)
            self.client.log_batch(run_id, list(_metrics(run, model_id, iterations, times)))
        # Start and end of the training; equal where it ran on another machine or earlier.
        self.client.set_terminated(run_id, end_time=times[-1])
        return run_id

    def _version(self, name: str, run_id: str, run: TrackedRun) -> str:
        """Return the version of the registered model that serves the files as they are now."""
        tag = {"served": _checksum(run.served)}
        for version in self.client.search_model_versions(f"run_id = '{run_id}'"):
            if version.name == name and tag.items() <= version.tags.items():
                return str(version.version)
        info = self.client.get_run(run_id).info
        models = self.client.search_logged_models(
            [info.experiment_id], f"source_run_id = '{run_id}'"
        )
        model_id = next(
            (model.model_id for model in models if tag.items() <= model.tags.items()), None
        )
        if model_id is None:  # the code has changed since
            with mlflow.start_run(run_id):
                model_id = _log_model(run)
            self.client.set_terminated(run_id, end_time=info.end_time)
        tags = {"fingerprint": run.fingerprint, **tag}
        source = f"models:/{model_id}"
        version = self.client.create_model_version(name, source, run_id, tags, model_id=model_id)
        return str(version.version)

    def _move_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias at a version, unless it points at one that this project did not make."""
        current = self.client.get_registered_model(name).aliases.get(alias)
        if str(current) == version:
            return
        if current and "fingerprint" not in self.client.get_model_version(name, current).tags:
            echo(f"models:/{name}@{alias} stays at version {current}, which is not of this project")
            return
        try:
            self.client.set_registered_model_alias(name, alias, version)
        except MlflowException as error:  # MLflow reserves names such as "v1" and "latest"
            echo(f"models:/{name}@{alias} is not set: {error.message}")


def _log_files(run: TrackedRun, patch: bytes) -> None:
    for path in (run.folder / LOCK, run.costs):
        mlflow.log_artifact(str(path))
    figures = run.folder / "plots" / "figures"
    for figure in (*figures.glob("*.png"), *figures.glob(f"{run.name}/*.png")):
        mlflow.log_artifact(str(figure), "figures")
    if patch:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "uncommitted.patch")
            path.write_bytes(patch)
            mlflow.log_artifact(str(path))


def _log_model(run: TrackedRun) -> str:
    """Log the model that MLflow serves, code and arrays without pickle; return its identifier."""
    description = load_description(run.folder / DESCRIPTION)
    example = np.zeros((1, *description.feature_shape), description.feature_dtype)
    output = pd.DataFrame({"label": [0], "class": [description.classes[0]], "probability": [1.0]})
    signature = mlflow.models.infer_signature(example, output)
    if description.columns:
        # MLflow would ignore columns that are unknown, without a word; served_model.py checks.
        signature.inputs = None
    else:
        # The only private name: otherwise MLflow would cast fractions to integers without a word,
        # and refuse images that are not flat. served_model.py checks instead.
        signature._is_signature_from_type_hint = True  # noqa: SLF001
    model = mlflow.pyfunc.log_model(
        name="model",
        python_model=str(SERVED_MODEL),
        artifacts={name: path.absolute().as_uri() for name, path in run.served.items()},
        signature=signature,
        pip_requirements=[f"{package}=={installed(package)}" for package in PACKAGES],
        metadata={"columns": [column.model_dump() for column in description.columns]},
        tags={"served": _checksum(run.served)},
    )
    return str(model.model_id)


def _checksum(served: Mapping[str, Path]) -> str:
    """Return the SHA-256 of all that is served: the model's files, the code, the description."""
    digest = hashlib.sha256(SERVED_MODEL.read_bytes())
    for path in served.values():
        for file in files_in(path) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _metrics(
    run: TrackedRun, model_id: str, iterations: list[int], times: list[int]
) -> Iterator[Metric]:
    # MLflow orders its charts by these names. A metric with step 0 only is drawn as bars.
    for split in SPLITS:
        accuracy = getattr(run.result, split)
        yield Metric(f"accuracy_{split}", accuracy, times[-1], 0, model_id=model_id)
    for label, recall in run.load_recall().items():
        yield Metric(f"recall_{metric_name(label)}", recall, times[-1], 0)
    costs = run.load_costs()
    points = [("cost_window_mean", *point) for point in window_means(costs, MAX_POINTS_PER_CURVE)]
    points += [("cost", *point) for point in window_means(costs, MAX_COSTS)]
    points += [
        (metric_name(name), iteration, value) for iteration, name, value in run.load_curves()
    ]
    for name, iteration, value in points:
        yield Metric(name, value, int(np.interp(iteration, iterations, times)), iteration)


def _now(origin: Provenance) -> int:
    return (origin.committed_at or int(time.time())) * 1000
