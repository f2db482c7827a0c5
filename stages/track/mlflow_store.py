"""MLflow as a view of the files: exactly one run per result, which can be rebuilt at any time.

The only module that imports MLflow, besides served_model.py, which MLflow itself runs.
"""

import logging
import os
import re
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import pydantic
import scipy
from filelock import Timeout

from common.splits import load_description
from stages.track import location
from stages.track.provenance import Provenance, writer
from stages.track.runs import DESCRIPTION, LOCK, TrackedRun, window_means
from support.command_line import CommandError, echo, gc_disabled, redact_credentials

# MLflow reads these when it is imported. By default it would retry for four minutes.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

with gc_disabled(), warnings.catch_warnings(action="ignore"):
    import mlflow
    from alembic.config import Config
    from mlflow import MlflowClient, pyfunc
    from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model, ModelSignature
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

# Alembic reads % as a configuration file does, and MLflow passes its own path as it is.
_set_option = Config.set_main_option
Config.set_main_option = lambda self, name, value: _set_option(  # type: ignore[method-assign]
    self, name, re.sub("%%?", "%%", value)
)

CHAMPION = "champion"
# MLflow's charts draw at most this many points of a curve.
MAX_POINTS_PER_CURVE = 320
CONTEXTS = {"train": "training", "validation": "validation", "test": "testing"}
MODEL_CODE = Path(__file__).parents[2] / "common" / "model.py"
# Packages whose names differ from those of their modules.
DRIVERS = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}


@dataclass(frozen=True)
class Store:
    """An MLflow store, used by only one process of the repository at a time."""

    client: MlflowClient
    uri: str
    root: Path

    def track(self, run: TrackedRun, origin: Provenance) -> str:
        """Store a finished run unless it is there already, and update the champion.

        Returns the run's identifier, as in the URLs of MLflow's pages.
        """
        is_current = origin.committed_at is None
        experiment_id = self.experiment_id(run.dataset)
        run_id = self._deduplicate(experiment_id, run.fingerprint)
        status = "in MLflow already"
        if run_id is None:
            created = self._create(experiment_id, run, origin)
            # Again, because another machine may have stored the same result meanwhile.
            run_id = self._deduplicate(experiment_id, run.fingerprint) or created
            status = f"tracked as run {run_id}"
        self._register(run, run_id, is_current=is_current)
        place = "" if is_current else f"{origin.name}: "
        echo(f"{place}{run.name}: {run.summary}: {status}")
        return run_id

    def experiment_id(self, name: str) -> str:
        """Return the identifier of an experiment, which is created if necessary."""
        folder = location.artifact_location(self.root)
        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            chosen = None if location.is_server(self.uri) else folder
            experiment = self.client.get_experiment(self.client.create_experiment(name, chosen))
        if self.uri == location.own_uri(self.root) and experiment.artifact_location != folder:
            raise CommandError(
                "the repository has moved since mlflow.db was made; delete mlflow.db and "
                "mlartifacts, `python -m stages.track --all` makes them again"
            )
        if experiment.lifecycle_stage == "deleted":
            self.client.restore_experiment(experiment.experiment_id)
        # A missing package is noticed here, before anything is written.
        get_artifact_repository(experiment.artifact_location)
        if experiment.artifact_location.startswith("s3:"):
            import_module("boto3")
        return str(experiment.experiment_id)

    def _deduplicate(self, experiment_id: str, fingerprint: str) -> str | None:
        """Delete interrupted attempts and duplicates; return the complete run, if any."""
        runs = self.client.search_runs([experiment_id], f"tags.fingerprint = '{fingerprint}'")
        complete = sorted(run.info.run_id for run in runs if run.info.status == "FINISHED")
        for run in runs:
            # An attempt of another machine may still be in progress.
            is_over = run.info.run_id in complete or run.data.tags["writer"] == writer(self.root)
            if is_over and run.info.run_id not in complete[:1]:
                models = f"source_run_id = '{run.info.run_id}'"
                for model in self.client.search_logged_models([experiment_id], models):
                    self.client.delete_logged_model(model.model_id)
                self.client.delete_run(run.info.run_id)
        return complete[0] if complete else None

    def _create(self, experiment_id: str, run: TrackedRun, origin: Provenance) -> str:
        # Start and end are equal, because the time between would look like that of the training.
        now = (origin.committed_at or int(time.time())) * 1000
        name = f"{run.name} ({origin.experiment})" if origin.experiment else run.name
        tags = {"fingerprint": run.fingerprint, "writer": writer(self.root)} | origin_tags(origin)
        tags["mlflow.note.content"] = f"{run.architecture}; {run.summary}"
        created = self.client.create_run(experiment_id, now, run_name=name, tags=tags)
        run_id: str = created.info.run_id
        # Until it is complete it counts as failed, whatever ends this process.
        self.client.set_terminated(run_id, "FAILED", now)
        with tempfile.TemporaryDirectory() as folder:
            _save_artifacts(Path(folder), run, origin)
            self.client.log_artifacts(run_id, folder)
        model_id = self._log_model(experiment_id, run_id, run)
        self.client.log_inputs(run_id, _dataset_inputs(run))
        settings = run.params | {"architecture": run.architecture}
        params = [Param(key, str(value)) for key, value in settings.items()]
        self.client.log_batch(run_id, list(_metrics(run, model_id, now)), params)
        # Last: only a complete run is finished.
        self.client.set_terminated(run_id, "FINISHED", now)
        return run_id

    def _log_model(self, experiment_id: str, run_id: str, run: TrackedRun) -> str:
        model = self.client.create_logged_model(experiment_id, name="model", source_run_id=run_id)
        self.client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        with tempfile.TemporaryDirectory() as folder:
            _save_model(Path(folder, "model"), Model(run_id=run_id, model_id=model.model_id), run)
            self.client.log_model_artifacts(model.model_id, f"{folder}/model")
        self.client.finalize_logged_model(model.model_id, "READY")
        return str(model.model_id)

    def _register(self, run: TrackedRun, run_id: str, *, is_current: bool) -> None:
        """Make one version of the registered model; a changed threshold changes its tags."""
        name, result = run.dataset, run.result
        tags = {"passes": str(result.is_met).lower(), "run": run.name}
        tags |= {"min_test_accuracy": str(result.min_test_accuracy)}
        tags |= {"fingerprint": run.fingerprint, "validation_accuracy": str(result.validation)}
        versions = self.client.search_model_versions(f"name = '{name}'")
        same = [one for one in versions if one.tags.get("fingerprint") == run.fingerprint]
        kept = next((version for version in same if version.run_id == run_id), None)
        for version in same:
            if version is not kept:
                self.client.delete_model_version(name, version.version)
        if kept is None:
            with suppress(MlflowException):  # it exists
                self.client.create_registered_model(name)
            (model,) = self.client.get_run(run_id).outputs.model_outputs  # type: ignore[union-attr]
            model_id = model.model_id
            uri = f"models:/{model_id}"
            self.client.create_model_version(name, uri, run_id, tags, model_id=model_id)
        elif is_current and tags != {key: kept.tags.get(key) for key in tags}:
            for key, value in tags.items():
                self.client.set_model_version_tag(name, kept.version, key, value)
        self._update_champion_alias(name)

    def _update_champion_alias(self, name: str) -> None:
        """Point the alias at the best validation accuracy that passes, the oldest of equals."""
        versions = self.client.search_model_versions(f"name = '{name}'")
        best = max(
            (version for version in versions if version.tags.get("passes") == "true"),
            key=lambda version: (float(version.tags["validation_accuracy"]), -int(version.version)),
            default=None,
        )
        champion = self.client.get_registered_model(name).aliases.get(CHAMPION)
        if best and str(champion) != str(best.version):
            self.client.set_registered_model_alias(name, CHAMPION, best.version)
        elif best is None and champion is not None:
            self.client.delete_registered_model_alias(name, CHAMPION)


@contextmanager
def open_store(root: Path) -> Iterator[Store]:
    """Open the store of a repository, which is created if necessary; raises `CommandError`s."""
    uri = location.tracking_uri(root)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with _store_errors(uri), location.acquire_lock(root):
        if location.is_server(uri):
            _check_server(uri)
        mlflow.set_tracking_uri(uri)
        yield Store(MlflowClient(uri, uri), uri, root)


@contextmanager
def _store_errors(uri: str) -> Iterator[None]:
    """Turn the errors of a store into a `CommandError` of one line, without credentials."""
    try:
        with warnings.catch_warnings(action="ignore"):  # libraries warn about each other
            yield
    except (MlflowException, ModuleNotFoundError, RequestException, SQLAlchemyError, Timeout) as e:
        raise CommandError(redact_credentials(f"MLflow store {uri}: {_reason(e, uri)}")) from None


def _reason(error: Exception, uri: str) -> str:
    text = str(error).strip() or type(error).__name__
    again = "the results are safe, `python -m stages.track` tries again"
    if isinstance(error, ModuleNotFoundError):
        again = f"`python -m pip install '{DRIVERS.get(str(error.name), error.name)}'` installs it"
    elif isinstance(error, Timeout):
        text, again = f"still in use after {location.LOCK_SECONDS} s", f"look for {location.OTHERS}"
    elif isinstance(error.__context__, RequestException):
        text = "no answer from this server"
    elif "out-of-date database schema" in text or "Can't locate revision" in text:
        text = "its schema belongs to another version of MLflow"
        again = "`mlflow db upgrade URI`, or delete it: `python -m stages.track` rebuilds it"
    elif uri.startswith(("file:", "/", ".")):
        again = "unset MLFLOW_TRACKING_URI to use mlflow.db, then `python -m stages.track`"
    return f"{text.splitlines()[0]:.300}; {again}"


def _check_server(uri: str) -> None:
    """Check the version of a server before anything is written there."""
    reply = http_request(get_default_host_creds(uri), "/version", "GET")  # type: ignore[no-untyped-call]
    version = re.match(r"(\d+)\.\d[\w.]*", reply.text)
    if version and int(version[1]) < 3:
        raise CommandError(redact_credentials(f"{uri} is MLflow {version[0]}, 3 is needed"))


def _dataset_inputs(run: TrackedRun) -> list[DatasetInput]:
    """Return the splits of a run as MLflow shows them, with the MD5 of each."""
    inputs = []
    for split, md5 in run.data.items():
        entity = Dataset(f"{run.dataset}-{split}", md5, "local", f"data/flat/{split}.npz")
        inputs.append(DatasetInput(entity, [InputTag("mlflow.data.context", CONTEXTS[split])]))
    return inputs


def origin_tags(origin: Provenance) -> dict[str, str]:
    """Return where a result comes from, as tags of a run."""
    dirty = "unknown" if origin.commit is None else str(bool(origin.diff)).lower()
    names = {"mlflow.source.git.commit": origin.commit, "dvc.experiment": origin.experiment}
    return {"git.dirty": dirty, **origin.machine} | {key: tag for key, tag in names.items() if tag}


def _metrics(run: TrackedRun, model_id: str, now: int) -> Iterator[Metric]:
    # MLflow orders its charts by these names. A metric with step 0 only is drawn as bars.
    for split in CONTEXTS:
        yield Metric(f"accuracy_{split}", getattr(run.result, split), now, 0, model_id=model_id)
    for label, value in run.recall.items():
        yield Metric(f"recall_{label}", value, now, 0)
    for iteration, cost in window_means(run.costs, MAX_POINTS_PER_CURVE):
        yield Metric("cost_window_mean", cost, now, iteration)
    for iteration, cost in enumerate(run.costs.tolist()):
        yield Metric("cost", cost, now, iteration)


def _save_artifacts(folder: Path, run: TrackedRun, origin: Provenance) -> None:
    """Write the artifacts of a run, except its model."""
    shutil.copy(run.folder / LOCK, folder)
    if origin.diff:
        (folder / "uncommitted.patch").write_bytes(origin.diff)
    (folder / "figures").mkdir()
    figures = run.folder / "plots" / "figures"
    for figure in (*figures.glob("*.png"), *figures.glob(f"{run.name}/*.png")):
        shutil.copy(figure, folder / "figures")


def _save_model(path: Path, model: Model, run: TrackedRun) -> None:
    """Write the model that MLflow serves: code and arrays, no pickle."""
    description = load_description(run.folder / DESCRIPTION)
    dtype, shape = np.dtype(description.feature_dtype), description.feature_shape
    signature = ModelSignature(
        inputs=Schema([TensorSpec(dtype, (-1, *shape))]),
        outputs=Schema([ColSpec(DataType.long, "label"), ColSpec(DataType.double, "probability")]),
    )
    # MLflow would silently cast fractions to integers; served_model.py checks instead.
    signature._is_signature_from_type_hint = True  # noqa: SLF001 - there is no public way
    files = {"model": run.model, "description": run.folder / DESCRIPTION, "code": MODEL_CODE}
    pyfunc.save_model(
        path,
        mlflow_model=model,
        python_model=str(Path(__file__).with_name("served_model.py")),
        artifacts={name: path.absolute().as_uri() for name, path in files.items()},
        signature=signature,
        input_example=np.zeros((1, *shape), dtype),
        pip_requirements=[f"{one.__name__}=={one.__version__}" for one in (np, scipy, pydantic)],
    )
