"""MLflow as a view of the files: exactly one run per result, and rebuilt at any time.

The only module that imports MLflow, besides served_model.py, which MLflow itself runs.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pydantic
import scipy
from filelock import FileLock, Timeout

from common.atomic import sha256
from common.command_line import CommandError, echo, gc_disabled, redact_credentials
from common.splits import Description
from stages.track import location
from stages.track.provenance import Provenance
from stages.track.runs import LOCK, TrackedRun, window_means

# MLflow reads these when it is imported.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
# It would retry for four minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

with gc_disabled(), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow
    import requests
    import sqlalchemy.exc
    from mlflow import MlflowClient, pyfunc
    from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model, ModelSignature
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    from mlflow.tracking._tracking_service.utils import _get_default_host_creds
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.utils.rest_utils import http_request

LOCK_SECONDS = 600
CHAMPION = "champion"
# MLflow's charts draw at most this many points of a curve.
MAX_POINTS_PER_CURVE = 320
CONTEXTS = {"train": "training", "validation": "validation", "test": "testing"}
MODEL_CODE = Path(__file__).parents[2] / "common" / "model.py"
# Where a driver's package is named differently.
DRIVER_PACKAGES = {"psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}


class StoredRun(NamedTuple):
    """The MLflow run of a result: identifiers, as in the URLs of MLflow's pages."""

    experiment_id: str
    run_id: str
    is_new: bool


class Store:
    """An MLflow store, used by only one process of the repository at a time.

    Attributes
    ----------
    client, uri
        MLflow's client, and the URI of the store.
    """

    def __init__(self, client: MlflowClient, uri: str, root: Path) -> None:
        self.client = client
        self.uri = uri
        self._root = root

    def track(self, run: TrackedRun, origin: Provenance, figures: Path | None) -> StoredRun:
        """Store a finished run, unless it is there already, and update the champion.

        Parameters
        ----------
        run
            The finished run.
        origin
            Where it comes from.
        figures
            The folder of the report's figures, or None.
        """
        experiment_id = self.experiment_id(run.dataset)
        # Attempts that were interrupted have no fingerprint.
        run_id = self._deduplicate(experiment_id, f"tags.attempt = '{run.fingerprint}'")
        is_new = run_id is None
        if run_id is None:
            created = self._create(experiment_id, run, origin, figures)
            # Another machine may have stored the same result meanwhile.
            complete = f"tags.fingerprint = '{run.fingerprint}'"
            run_id = self._deduplicate(experiment_id, complete) or created
            is_new = run_id == created
        self._register(run, run_id, is_current=origin.committed_at is None)
        return StoredRun(experiment_id, run_id, is_new)

    def experiment_id(self, name: str) -> str:
        """Return the identifier of an experiment, which is created if necessary.

        Raises
        ------
        CommandError
            If the repository has moved since its own store was created, or a package is missing
            that the store of artifacts needs.
        """
        own = (self._root / location.DATABASE).as_uri().replace("file:", "sqlite:/", 1)
        artifacts = location.artifact_location(self._root)
        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            chosen = None if location.is_server(self.uri) else artifacts
            identifier = self.client.create_experiment(name, artifact_location=chosen)
            experiment = self.client.get_experiment(identifier)
        elif self.uri == own and experiment.artifact_location != artifacts:
            raise CommandError(
                f"mlflow.db was created for {experiment.artifact_location}, and the repository has "
                "moved since; delete mlflow.db and mlartifacts, `python -m stages.track --all` "
                "creates them again"
            )
        if experiment.lifecycle_stage == "deleted":
            self.client.restore_experiment(experiment.experiment_id)
        get_artifact_repository(experiment.artifact_location)
        return str(experiment.experiment_id)

    def _deduplicate(self, experiment_id: str, query: str) -> str | None:
        """Delete incomplete runs and duplicates; return the complete one, if there is one."""
        runs = self.client.search_runs([experiment_id], query)
        complete = sorted(run.info.run_id for run in runs if "fingerprint" in run.data.tags)
        for run in runs:
            if run.info.run_id not in complete[:1]:
                models = f"source_run_id = '{run.info.run_id}'"
                for model in self.client.search_logged_models([experiment_id], models):
                    self.client.delete_logged_model(model.model_id)
                self.client.delete_run(run.info.run_id)
        return complete[0] if complete else None

    def _create(
        self, experiment_id: str, run: TrackedRun, origin: Provenance, figures: Path | None
    ) -> str:
        # Start and end are the same, or MLflow would show the time between as the training's.
        now = (origin.committed_at or int(time.time())) * 1000
        # One experiment has several runs of the same name.
        name = f"{run.name} ({origin.experiment})" if origin.experiment else run.name
        tags = {"attempt": run.fingerprint, **_run_tags(run), **origin_tags(origin)}
        run_id: str = self.client.create_run(
            experiment_id, now, run_name=name, tags=tags
        ).info.run_id
        # Until it is complete it counts as failed, whatever ends this process.
        self.client.set_terminated(run_id, "FAILED", now)
        with tempfile.TemporaryDirectory() as folder:
            _save_artifacts(Path(folder), run, origin, figures)
            self.client.log_artifacts(run_id, folder)
        model_id = self._log_model(experiment_id, run_id, run)
        self.client.log_inputs(run_id, dataset_inputs(run.dataset, run.data))
        params = [Param(name, str(value)) for name, value in run.params.items()]
        self.client.log_batch(run_id, metrics=list(_metrics(run, model_id, now)), params=params)
        self.client.set_terminated(run_id, "FINISHED", now)
        # Last: this marks the run as complete.
        self.client.set_tag(run_id, "fingerprint", run.fingerprint)
        return run_id

    def _log_model(self, experiment_id: str, run_id: str, run: TrackedRun) -> str:
        model = self.client.create_logged_model(experiment_id, name="model", source_run_id=run_id)
        model_id: str = model.model_id
        self.client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
        with tempfile.TemporaryDirectory() as folder:
            path = _save_model(Path(folder), Model(run_id=run_id, model_id=model_id), run)
            self.client.log_model_artifacts(model_id, str(path))
        self.client.finalize_logged_model(model_id, "READY")
        return model_id

    def _register(self, run: TrackedRun, run_id: str, *, is_current: bool) -> None:
        """Make one version of the registered model; a changed threshold changes its tags."""
        name = f"{run.dataset}-classifier"
        required = run.result.min_test_accuracy
        passes = {
            "passes": str(run.result.test >= required).lower(),
            "min_test_accuracy": str(required),
        }
        registered = False
        for version in self.client.search_model_versions(f"name = '{name}'"):
            if version.tags.get("fingerprint") != run.fingerprint:
                continue
            if version.run_id != run_id or registered:
                self.client.delete_model_version(name, version.version)
                continue
            registered = True
            for key, value in passes.items():
                if is_current and version.tags.get(key) != value:
                    self.client.set_model_version_tag(name, version.version, key, value)
        if not registered:
            validation = {"validation_accuracy": str(run.result.validation)}
            self._create_version(name, run, run_id, passes | validation)
        self._update_champion_alias(name)

    def _create_version(
        self, name: str, run: TrackedRun, run_id: str, tags: Mapping[str, str]
    ) -> None:
        with suppress(MlflowException):  # it exists
            self.client.create_registered_model(name)
        (output,) = self.client.get_run(run_id).outputs.model_outputs
        self.client.create_model_version(
            name,
            f"models:/{output.model_id}",
            run_id,
            model_id=output.model_id,
            tags={"fingerprint": run.fingerprint, "run": run.name, **tags},
        )

    def _update_champion_alias(self, name: str) -> None:
        """Point the alias at the model of best validation accuracy among those that pass.

        Among equals the oldest keeps it. Where none passes, there is no champion.
        """
        versions = self.client.search_model_versions(f"name = '{name}'")
        best = max(
            (version for version in versions if version.tags.get("passes") == "true"),
            key=lambda version: (float(version.tags["validation_accuracy"]), -int(version.version)),
            default=None,
        )
        if best and CHAMPION not in best.aliases:
            self.client.set_registered_model_alias(name, CHAMPION, best.version)
        elif not best and any(CHAMPION in version.aliases for version in versions):
            self.client.delete_registered_model_alias(name, CHAMPION)


@contextmanager
def open_store(root: Path) -> Iterator[Store]:
    """Open the store at `MLFLOW_TRACKING_URI`, or else in the repository; create it if necessary.

    Parameters
    ----------
    root
        The repository, as `location.repository` returns it.

    Raises
    ------
    CommandError
        If the store cannot be reached, read or written; or is held by another process for long.
    """
    uri = location.tracking_uri(root)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with _lock(root / ".dvc" / "tmp" / "mlflow.lock"), store_errors(uri):
        if location.is_server(uri):
            _check_server(uri)
        mlflow.set_tracking_uri(uri)
        yield Store(MlflowClient(uri, uri), uri, root)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a file lock: two processes that create a new store at once would spoil it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        echo(f"waiting for another process that uses the MLflow store and holds {path}")
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            raise CommandError(
                f"{path}: still held after {LOCK_SECONDS // 60} minutes; end the process that "
                "holds it, or delete the file if there is none"
            ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn what a store can raise into a `CommandError` of one line, without credentials."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries warn of one another
            yield
    except ImportError as error:
        name = DRIVER_PACKAGES.get(error.name or "", error.name)
        reason = f"{error}; `python -m pip install {name}` installs it"
    except (MlflowException, requests.RequestException, sqlalchemy.exc.SQLAlchemyError) as error:
        reason = _reason(error, uri)
    else:
        return
    reason = redact_credentials(reason)
    raise CommandError(f"MLflow store {redact_credentials(uri)}: {reason}") from None


def _reason(error: Exception, uri: str) -> str:
    text = str(error).strip() or type(error).__name__
    again = "the results themselves are safe, `python -m stages.track` tries again"
    if isinstance(error.__context__, requests.RequestException):
        return f"no answer from this server; {again}"
    if "out-of-date database schema" in text or "Can't locate revision" in text:
        return (
            f"its schema is of another version of MLflow; `mlflow db upgrade {uri}`, or delete "
            "it: `python -m stages.track` rebuilds it"
        )
    if uri.startswith(("file:", "/", ".")):
        again = "unset MLFLOW_TRACKING_URI to use mlflow.db, then `python -m stages.track`"
    return f"{text.splitlines()[0]:.300}; {again}"


def _check_server(uri: str) -> None:
    """Check the version of a server before anything is written there."""
    reply = http_request(_get_default_host_creds(uri), "/version", "GET")
    version = re.fullmatch(r"(\d+)\.[\w.]+", reply.text.strip())
    if version and int(version[1]) < 3:
        raise CommandError(
            f"MLflow server {redact_credentials(uri)} is {version[0]}, version 3 is needed"
        )


def dataset_inputs(dataset: str, data: Mapping[str, str]) -> list[DatasetInput]:
    """Return what MLflow shows as the datasets of a run, from the MD5 of each split."""
    inputs = []
    for split, md5 in data.items():
        source = f"data/flat/{split}.npz"
        entity = Dataset(f"{dataset}-{split}", md5, source_type="local", source=source)
        inputs.append(DatasetInput(entity, [InputTag("mlflow.data.context", CONTEXTS[split])]))
    return inputs


def origin_tags(origin: Provenance) -> dict[str, str]:
    """Return where a result comes from, as tags of a run."""
    dirty = "unknown" if origin.commit is None else str(bool(origin.diff)).lower()
    tags = {"git.dirty": dirty, **origin.machine}
    if origin.commit:
        tags["mlflow.source.git.commit"] = origin.commit
    if origin.experiment:
        tags["dvc.experiment"] = origin.experiment
    return tags


def _run_tags(run: TrackedRun) -> dict[str, str]:
    last = run.costs[-100:]
    note = (
        f"**{run.name}**: after {run.result.iterations:,} iterations the network "
        f"({run.architecture}) classifies **{run.result.test:.2%}** of the test examples "
        f"correctly, {run.result.validation:.2%} of the validation examples and "
        f"{run.result.train:.2%} of the training examples.\n\nThe batch cost began at "
        f"{run.costs[0]:.2f}; its mean over the last {len(last)} iterations is {last.mean():.4f}."
    )
    return {
        "dvc.lock.sha256": sha256(run.lock),
        "mlflow.note.content": note,
        "mlflow.source.name": "dvc.yaml",
    }


def _metrics(run: TrackedRun, model_id: str, now: int) -> Iterator[Metric]:
    # MLflow orders its charts by these names. What has only step 0 is drawn as bars.
    for split in CONTEXTS:
        accuracy = getattr(run.result, split)
        yield Metric(f"accuracy_{split}", accuracy, now, 0, model_id=model_id)
    for label, value in run.recall.items():
        yield Metric(f"recall_{label}", value, now, 0)
    for iteration, cost in window_means(run.costs, MAX_POINTS_PER_CURVE):
        yield Metric("cost_window_mean", cost, now, iteration)
    for iteration, cost in enumerate(run.costs.tolist()):
        yield Metric("cost", cost, now, iteration)


def _save_artifacts(
    folder: Path, run: TrackedRun, origin: Provenance, figures: Path | None
) -> None:
    """Write what a run keeps beside its model."""
    (folder / LOCK).write_bytes(run.lock)
    if origin.diff:
        (folder / "uncommitted.patch").write_bytes(origin.diff)
    (folder / "figures").mkdir()
    for place in (figures, figures / run.name) if figures else ():
        for figure in place.glob("*.png"):
            shutil.copy(figure, folder / "figures")


def _save_model(folder: Path, model: Model, run: TrackedRun) -> Path:
    """Write the model that MLflow serves, as code and arrays: nothing is pickled."""
    artifacts = {"weights": folder / "weights.npz", "description": folder / "description.json"}
    artifacts["weights"].write_bytes(run.weights)
    artifacts["description"].write_bytes(run.description)
    description = Description.model_validate_json(run.description)
    dtype, shape = np.dtype(description.feature_dtype), description.feature_shape
    signature = ModelSignature(
        inputs=Schema([TensorSpec(dtype, (-1, *shape))]),
        outputs=Schema([ColSpec(DataType.long, "label"), ColSpec(DataType.double, "probability")]),
    )
    # MLflow would cast fractions to integers without a word; served_model.py checks instead.
    signature._is_signature_from_type_hint = True  # noqa: SLF001 - there is no public way
    packages = (np, scipy, pydantic)
    pyfunc.save_model(
        folder / "model",
        mlflow_model=model,
        python_model=str(Path(__file__).with_name("served_model.py")),
        artifacts={name: str(path) for name, path in artifacts.items()} | {"code": str(MODEL_CODE)},
        signature=signature,
        input_example=np.zeros((1, *shape), dtype),
        pip_requirements=[f"{package.__name__}=={package.__version__}" for package in packages],
    )
    return folder / "model"
