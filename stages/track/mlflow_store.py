"""MLflow as a view of the files: one run a record, never two, and rebuilt at will.

The only module that imports MLflow, but for serving.py, which MLflow itself runs.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from common.atomic import sha256
from common.command_line import CommandError, echo, gc_disabled, redact_credentials
from stages.track import location as store
from stages.track import provenance
from stages.track.provenance import Provenance
from stages.track.runs import LOCK, Record, smoothed

# MLflow reads these when it is imported. It would retry for four minutes.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

with gc_disabled():
    import mlflow
    import requests
    import sqlalchemy.exc
    from mlflow import MlflowClient, pyfunc
    from mlflow.entities import (
        Dataset,
        DatasetInput,
        FileInfo,
        InputTag,
        LoggedModelOutput,
        Metric,
        Param,
        Run,
    )
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

CHAMPION = "champion"
# A run's tag: how many files it keeps, its model's among them.
FILES = "artifacts"
# MLflow's charts draw no more points than this of a curve.
MAX_POINTS_PER_CURVE = 320
# One of many that are compared, written while the next waits.
MAX_POINTS_PER_TRIAL = 100
CONTEXTS = {"train": "training", "validation": "validation", "test": "testing"}
HERE = Path(__file__).parent


class Store:
    """An MLflow store, held by this process alone among those of the same repository."""

    def __init__(self, client: MlflowClient, artifacts: str | None) -> None:
        self._client = client
        self._artifacts = artifacts

    def add(self, record: Record, origin: Provenance, pictures: Path | None) -> str | None:
        """Make the run of a record complete, unless there is one.

        Parameters
        ----------
        record
            The finished run.
        origin
            Where it comes from.
        pictures
            A folder with the pictures of all runs, or None.

        Returns
        -------
        str or None
            The identifier of the new run; None if there was one.
        """
        experiment = self._experiment(record.dataset)
        before = self._settle(experiment, record.digest)
        made = None if before else self._make(experiment, record, origin, pictures)
        # Again, for another machine may have made the same run meanwhile.
        run = before or self._settle(experiment, record.digest)
        if run is None:
            raise CommandError(
                f"MLflow run {made} of {record.run} was deleted while it was written; "
                "`python -m stages.track` tries again"
            )
        self._register(run, record)
        self._crown(_model_name(record.dataset))
        return made if run.info.run_id == made else None

    def find(self, record: Record) -> tuple[str, str] | None:
        """Find the run of a record.

        Returns
        -------
        experiment, run : str
            Identifiers, as in the addresses of MLflow's pages; None if there is no such run.
        """
        experiment = self._experiment(record.dataset)
        found = self._runs_of(experiment, record.digest)
        return (experiment, found[0].info.run_id) if found else None

    def begin(
        self,
        experiment_name: str,
        name: str,
        tags: Mapping[str, str],
        params: Mapping[str, Any],
        before: str | None,
    ) -> tuple[str, str]:
        """Begin a run that is not a record's, or go on with one; give its two identifiers."""
        experiment = self._experiment(experiment_name)
        if before and self._client.search_runs([experiment], f"attributes.run_id = '{before}'"):
            self._client.update_run(before, "RUNNING")
            return experiment, before
        run = self._client.create_run(experiment, run_name=name, tags={"sweep": name, **tags})
        self._client.log_batch(
            run.info.run_id, params=[Param(key, str(value)) for key, value in params.items()]
        )
        return experiment, str(run.info.run_id)

    def _experiment(self, name: str) -> str:
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            return str(self._client.create_experiment(name, artifact_location=self._artifacts))
        if self._artifacts and experiment.artifact_location != self._artifacts:
            raise CommandError(
                f"the MLflow store was made for {experiment.artifact_location}, and the repository "
                "has moved since; delete mlflow.db and mlartifacts, `python -m stages.track --all` "
                "makes them again"
            )
        if experiment.lifecycle_stage == "deleted":
            self._client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)

    def _runs_of(self, experiment: str, digest: str) -> list[Run]:
        return list(self._client.search_runs([experiment], f"tags.digest = '{digest}'"))

    def _settle(self, experiment: str, digest: str) -> Run | None:
        """Leave one whole run of a digest, or none: delete parts of runs, and doubles."""
        present = sorted(self._runs_of(experiment, digest), key=lambda run: str(run.info.run_id))
        kept = next((run for run in present if self._is_whole(run)), None)
        for run in present:
            if run is not kept:
                self._discard(run)
        return kept

    def _is_whole(self, run: Run) -> bool:
        models = self._models(run)
        if run.info.status != "FINISHED" or len(models) != 1:
            return False
        kept = _count(partial(self._client.list_artifacts, run.info.run_id))
        kept += _count(partial(self._client.list_logged_model_artifacts, models[0]))
        return run.data.tags.get(FILES) == str(kept)

    def _models(self, run: Run) -> list[str]:
        """Find the models of a run that nobody has deleted, filled or not."""
        found = self._client.search_logged_models(
            [run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"
        )
        return [model.model_id for model in found]

    def _discard(self, run: Run) -> None:
        """Delete a run, with its model."""
        for model_id in self._models(run):
            self._client.delete_logged_model(model_id)
        if run.info.status == "RUNNING":
            self._client.set_terminated(run.info.run_id, "KILLED")
        self._client.delete_run(run.info.run_id)

    def _make(
        self, experiment: str, record: Record, origin: Provenance, pictures: Path | None
    ) -> str:
        # One time: between two MLflow would show how long this took, as if it were the training.
        now = origin.seconds * 1000 if origin.seconds else time.time_ns() // 1_000_000
        # In a list of many experiments each has runs of the same names.
        name = f"{record.run} ({origin.experiment})" if origin.experiment else record.run
        run_id: str = self._client.create_run(
            experiment, now, run_name=name, tags=_tags(record, origin)
        ).info.run_id
        # Until it is whole it counts as failed: whatever ends this process leaves none RUNNING.
        self._client.set_terminated(run_id, "FAILED", now)
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder, "run")
            _save_artifacts(kept, record, origin, pictures)
            self._client.log_artifacts(run_id, str(kept))
            model_id = self._log_model(experiment, run_id, record, Path(folder))
            files = sum(
                path.is_file()
                for name in ("run", "model")
                for path in Path(folder, name).rglob("*")
            )
        self._client.log_inputs(run_id, list(_inputs(record.dataset, record.data)))
        self._client.log_batch(
            run_id, metrics=list(_metrics(record, model_id, now)), params=list(_params(record))
        )
        self._client.set_tag(run_id, FILES, str(files))
        self._client.set_terminated(run_id, "FINISHED", now)
        return run_id

    def _crown(self, name: str) -> None:
        """Give the alias ``champion`` to the model of best validation accuracy that passes.

        Among equals the oldest keeps it.
        """
        candidates = [
            version
            for version in self._client.search_model_versions(f"name = '{name}'")
            if version.tags.get("passes") == "true"
        ]
        if not candidates:
            return
        best = max(
            candidates, key=lambda one: (float(one.tags["validation_accuracy"]), -int(one.version))
        )
        if CHAMPION not in best.aliases:
            self._client.set_registered_model_alias(name, CHAMPION, best.version)

    def _log_model(self, experiment: str, run_id: str, record: Record, folder: Path) -> str:
        model_id: str = self._client.create_logged_model(
            experiment, name="model", source_run_id=run_id
        ).model_id
        self._client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
        _save_model(folder, Model(run_id=run_id, model_id=model_id), record)
        self._client.log_model_artifacts(model_id, str(folder / "model"))
        self._client.finalize_logged_model(model_id, "READY")
        return model_id

    def _register(self, run: Run, record: Record) -> None:
        """Make the one version of a run's model, unless there is one."""
        name = _model_name(record.dataset)
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name)
        present = False
        for version in self._client.search_model_versions(f"name = '{name}'"):
            if version.tags.get("digest") != record.digest:
                continue
            if version.run_id == run.info.run_id and not present:
                present = True
            else:
                self._client.delete_model_version(name, version.version)
        if present:
            return
        (model_id,) = self._models(run)
        passes = record.result.test >= record.result.min_test_accuracy
        self._client.create_model_version(
            name,
            f"models:/{model_id}",
            run.info.run_id,
            model_id=model_id,
            tags={
                "digest": record.digest,
                "run": record.run,
                "passes": str(passes).lower(),
                "validation_accuracy": str(record.result.validation),
            },
        )


@contextmanager
def open_store(root: Path) -> Iterator[Store]:
    """Open the store at `MLFLOW_TRACKING_URI`, or else in the repository, making it if need be.

    Parameters
    ----------
    root
        The repository; not the throw-away folder that DVC runs an experiment in.

    Yields
    ------
    Store

    Raises
    ------
    CommandError
        If the store cannot be reached, read or written.
    """
    address = store.address(root)
    # A server chooses where artifacts go; a store in a file would choose the working directory.
    artifacts = store.artifacts(root) if address.startswith("sqlite:") else None
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.CRITICAL)
    lock = FileLock(root / ".dvc" / "tmp" / "mlflow.lock")
    Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
    with _one_line(address):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            echo("waiting for another process that has the MLflow store open")
            lock.acquire()
        try:
            mlflow.set_tracking_uri(address)
            yield Store(MlflowClient(address, address), artifacts)
        finally:
            lock.release()


@dataclass(frozen=True)
class SweepRun:
    """The MLflow run of a sweep, and all that a worker has to know to add one of a trial.

    Attributes
    ----------
    address, experiment, identifier
        Of the store, and of the run in it.
    dataset, data
        The name of the dataset, and the MD5 of the arrays of each part that is used.
    tags
        What is known of every trial.
    """

    address: str
    experiment: str
    identifier: str
    dataset: str
    data: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def _client(self) -> MlflowClient:
        return MlflowClient(self.address, self.address)

    def add(self, number: int, params: Mapping[str, Any], machine: Mapping[str, str]) -> TrialRun:
        """Begin the run of a trial, with what it is made of and where it is trained."""
        client = self._client
        tags = {
            "mlflow.parentRunId": self.identifier,
            "mlflow.source.name": "extras/sweeps/sweep.py",
            **self.tags,
            **machine,
        }
        run: str = client.create_run(
            self.experiment, run_name=f"trial {number}", tags=tags
        ).info.run_id
        client.log_inputs(run, list(_inputs(self.dataset, self.data)))
        client.log_batch(run, params=[Param(name, str(value)) for name, value in params.items()])
        return TrialRun(client, run)

    def end(self, status: str, best: Mapping[str, Any], files: Iterable[Path]) -> None:
        """End the run, and those of trials whose workers were killed.

        Parameters
        ----------
        status
            ``FINISHED``, or ``KILLED`` for a sweep that was interrupted.
        best
            The best settings, and what was measured with them; empty where no trial has finished.
        files
            What is kept with it.
        """
        with _one_line(self.address):
            client = self._client
            unfinished = f"tags.mlflow.parentRunId = '{self.identifier}' AND status = 'RUNNING'"
            for run in client.search_runs([self.experiment], unfinished, max_results=1000):
                client.set_terminated(run.info.run_id, "KILLED")
            for name, value in best.items():
                if name in ("validation", "deviation"):
                    client.log_metric(self.identifier, f"best_{name}", value)
                else:
                    client.set_tag(self.identifier, f"best.{name}", str(value))
            for file in files:
                client.log_artifact(self.identifier, str(file))
            client.set_terminated(self.identifier, status)


class TrialRun:
    """The MLflow run of a trial, written while it trains."""

    def __init__(self, client: MlflowClient, identifier: str) -> None:
        self._client = client
        self._identifier = identifier

    def log(
        self, done: int, costs: NDArray[np.float32], validation: float, iterations: int
    ) -> None:
        """Add what was measured.

        Parameters
        ----------
        done
            The iterations before these.
        costs : ndarray of float32, shape (n,)
            Of the iterations since the last call.
        validation
            The accuracy after them, in [0, 1].
        iterations
            How many the whole trial has.
        """
        now = time.time_ns() // 1_000_000
        points = max(1, MAX_POINTS_PER_TRIAL * len(costs) // iterations)
        metrics = [
            Metric("cost_smoothed", cost, now, done + iteration)
            for iteration, cost in smoothed(costs, points)
        ]
        metrics.append(Metric("accuracy_validation", validation, now, done + len(costs)))
        self._client.log_batch(self._identifier, metrics=metrics)

    def end(self, status: str) -> None:
        """End it as ``FINISHED``, ``FAILED`` or ``KILLED``."""
        self._client.set_terminated(self._identifier, status)


def begin_sweep(
    root: Path,
    name: str,
    dataset: str,
    data: Mapping[str, str],
    *,
    params: Mapping[str, Any],
    before: str | None,
) -> SweepRun:
    """Begin the run of a sweep, or go on with one; in an experiment beside the pipeline's own.

    Parameters
    ----------
    root
        The repository.
    name
        Of the sweep.
    dataset, data
        The name of the dataset, and the MD5 of the arrays of each part that is used.
    params
        What the sweep file says.
    before
        The identifier of the run to go on with, if it is still there; or None.

    Raises
    ------
    CommandError
        If the store cannot be reached or written to.
    """
    origin = provenance.here()
    with open_store(root) as opened:
        experiment, run = opened.begin(f"{dataset}-sweeps", name, _origin(origin), params, before)
    return SweepRun(store.address(root), experiment, run, dataset, data, _origin(origin))


@contextmanager
def _one_line(address: str) -> Iterator[None]:
    try:
        yield
    except (MlflowException, requests.RequestException, sqlalchemy.exc.SQLAlchemyError) as error:
        address = redact_credentials(address)
        text = redact_credentials(str(error)).strip() or type(error).__name__
        if isinstance(error.__context__, requests.RequestException):
            text = "no answer from this server"
        if "out-of-date database schema" in text or "Can't locate revision" in text:
            raise CommandError(
                f"MLflow store {address}: its schema is of another version of MLflow; "
                f"`mlflow db upgrade {address}`, or delete it: `python -m stages.track` rebuilds it"
            ) from None
        raise CommandError(
            f"MLflow store {address}: {text.splitlines()[0]:.300}; the results themselves are "
            "safe, `python -m stages.track` tries again"
        ) from None


def _count(list_artifacts: Callable[..., list[FileInfo]]) -> int:
    """Count the files that a run or a model keeps, in all folders."""

    def files(path: str | None) -> int:
        return sum(
            files(found.path) if found.is_dir else 1
            for found in list_artifacts(path)
            if Path(found.path).name not in store.LOADED
        )

    return files(None)


def _save_artifacts(
    folder: Path, record: Record, origin: Provenance, pictures: Path | None
) -> None:
    """Write what a run keeps beside its model."""
    (folder / "plots").mkdir(parents=True)
    (folder / LOCK).write_bytes(record.lock)
    if origin.difference:
        (folder / "uncommitted.patch").write_bytes(origin.difference)
    for place in (pictures, pictures / record.run) if pictures else ():
        for picture in place.glob("*.png"):
            shutil.copy(picture, folder / "plots")


def _save_model(folder: Path, model: Model, record: Record) -> None:
    """Write the model that MLflow serves into the folder ``model`` of a temporary folder."""
    pixels = record.layers[0]
    weights = folder / "weights.npz"
    weights.write_bytes(record.weights)
    # What serving.py imports, under the name by which it does.
    package = folder / "stages"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(HERE / "inference.py", package)
    pyfunc.save_model(
        folder / "model",
        mlflow_model=model,
        python_model=str(HERE / "serving.py"),
        code_paths=[str(package)],
        artifacts={"weights": str(weights)},
        signature=ModelSignature(
            inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, pixels))]),
            outputs=Schema(
                [ColSpec(DataType.long, "label"), ColSpec(DataType.double, "probability")]
            ),
        ),
        input_example=np.zeros((1, pixels), np.uint8),
        pip_requirements=[f"numpy=={np.__version__}"],
    )


def _model_name(dataset: str) -> str:
    return f"{dataset}-mlp"


def _params(record: Record) -> Iterator[Param]:
    for name, value in record.parameters.items():
        yield Param(name, str(value))


def _metrics(record: Record, model_id: str, now: int) -> Iterator[Metric]:
    # MLflow draws its charts in the order of these names: accuracy, cost, recall. What has no
    # step but 0 is drawn as bars.
    for part in CONTEXTS:
        value = getattr(record.result, part)
        yield Metric(f"accuracy_{part}", value, now, 0, model_id=model_id)
    for label, value in record.recall.items():
        yield Metric(f"recall_{label}", value, now, 0)
    for iteration, cost in smoothed(record.costs, MAX_POINTS_PER_CURVE):
        yield Metric("cost_smoothed", cost, now, iteration)
    for iteration, cost in enumerate(record.costs.tolist()):
        yield Metric("cost", cost, now, iteration)


def _inputs(name: str, data: Mapping[str, str]) -> Iterator[DatasetInput]:
    for part, digest in data.items():
        dataset = Dataset(
            name=f"{name}-{part}",
            digest=digest,
            source_type="local",
            source=f"data/flat/{part}.npz",
        )
        yield DatasetInput(dataset, [InputTag("mlflow.data.context", CONTEXTS[part])])


def _tags(record: Record, origin: Provenance) -> dict[str, str]:
    return {
        "digest": record.digest,
        "dvc.lock.sha256": sha256(record.lock),
        "mlflow.note.content": _description(record),
        "mlflow.source.name": "dvc.yaml",
        **_origin(origin),
    }


def _origin(origin: Provenance) -> dict[str, str]:
    tags = {"git.dirty": str(bool(origin.difference)).lower(), **origin.machine}
    if origin.commit:
        tags["mlflow.source.git.commit"] = origin.commit
    if origin.experiment:
        tags["dvc.experiment"] = origin.experiment
    return tags


def _description(record: Record) -> str:
    result = record.result
    margin = (result.test - result.min_test_accuracy) * 100
    verdict = f"{abs(margin):.2f} points {'above' if margin >= 0 else 'below'}"
    network = "-".join(str(units) for units in record.layers)
    return (
        f"**{record.run}**: after {result.iterations:,} iterations the {network} network reads "
        f"**{result.test:.2%}** of the test images right, {verdict} its threshold of "
        f"{result.min_test_accuracy:.2%}, {result.validation:.2%} of the validation images and "
        f"{result.train:.2%} of those it was trained on.\n\nThe batch cost began at "
        f"{record.costs[0]:.2f} and was {record.costs[-100:].mean():.4f} on average over the last "
        f"{min(100, len(record.costs))} iterations."
    )
