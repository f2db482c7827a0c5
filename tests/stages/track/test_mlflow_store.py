"""MLflow as a view of the files: what a run holds, and that there is one of each."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from tests.fixtures import CLASSES, ITERATIONS, WIDTHS, Workspace, write_fake_results
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from common import arrays
from common import model as inference
from stages.track import runs as records

# MLflow's libraries warn of one another.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

MODEL = "synthetic-mlp"
CHAMPION = f"models:/{MODEL}@champion"


class Pages:
    """What a user sees, and can do, in MLflow's pages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.client = MlflowClient(f"sqlite:///{path}/mlflow.db")

    @property
    def experiment(self) -> str:
        """Give the identifier of the experiment."""
        found = self.client.get_experiment_by_name("synthetic")
        assert found
        return str(found.experiment_id)

    def all_runs(self, view: int = ViewType.ACTIVE_ONLY) -> list[Run]:
        """Give all runs that are there, or also those that were deleted."""
        return list(self.client.search_runs([self.experiment], run_view_type=view))

    def runs(self) -> dict[str, Run]:
        """Give the runs by their names, of which each must be finished and stand once."""
        found = self.all_runs()
        names = [str(run.info.run_name) for run in found]
        assert sorted(set(names)) == sorted(names)
        assert {"FINISHED"} == {run.info.status for run in found}
        return dict(zip(names, found, strict=True))

    def assert_whole(self) -> None:
        """Check that both runs are there once, with their models, files and the champion."""
        runs = self.runs()
        assert set(ITERATIONS) == set(runs)
        versions = self.client.search_model_versions(f"name = '{MODEL}'")
        assert sorted(run.info.run_id for run in runs.values()) == sorted(
            version.run_id for version in versions
        )
        champion = self.client.get_model_version_by_alias(MODEL, "champion")
        assert runs["long"].info.run_id == champion.run_id
        for name, run in runs.items():
            assert ITERATIONS[name] == len(self.client.get_metric_history(run.info.run_id, "cost"))
            (output,) = self.client.get_run(run.info.run_id).outputs.model_outputs
            assert self.client.get_logged_model(output.model_id).status == "READY"
            assert {"dvc.lock", "plots"} == {
                file.path for file in self.client.list_artifacts(run.info.run_id)
            }
        model = mlflow.pyfunc.load_model(CHAMPION)
        assert len(model.predict(np.zeros((1, WIDTHS[0]), np.uint8))) == 1
        ended = {"FINISHED", "FAILED", "KILLED"}
        assert {run.info.status for run in self.all_runs(ViewType.ALL)} <= ended


@pytest.fixture
def pages(completed_workspace: Workspace) -> Iterator[Pages]:
    """Give the pages of a store into which both runs have been tracked."""
    outcome = completed_workspace.run("track")
    assert (outcome.status, outcome.err) == (0, "")
    uri = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{completed_workspace.path}/mlflow.db")
    yield Pages(completed_workspace.path)
    mlflow.set_tracking_uri(uri)


def track_again(completed_workspace: Workspace) -> str:
    """Run `track`, which must succeed, and give what it printed."""
    outcome = completed_workspace.run("track")
    assert (outcome.status, outcome.err) == (0, "")
    return outcome.out


def test_a_run_holds_all_that_was_asked_and_measured(
    completed_workspace: Workspace, pages: Pages
) -> None:
    """Parameters, accuracies, recalls and a cost for every iteration, as in the files."""
    pages.assert_whole()
    measured = json.loads((completed_workspace.path / "metrics/accuracy.json").read_text())
    for record in records.gather(records.from_folder(completed_workspace.path)):
        run = pages.runs()[record.run]
        assert {name: str(value) for name, value in record.parameters.items()} == run.data.params
        for part in ("train", "validation", "test"):
            assert measured[record.run][part] == run.data.metrics[f"accuracy_{part}"]
        for label in range(CLASSES - 1):
            assert 1 - label / 10 == run.data.metrics[f"recall_{label}"]
        assert f"recall_{CLASSES - 1}" not in run.data.metrics
        history = pages.client.get_metric_history(run.info.run_id, "cost")
        assert list(enumerate(record.costs.tolist())) == sorted(
            (one.step, one.value) for one in history
        )
        assert "cost_smoothed" in run.data.metrics


def test_a_run_names_its_data(completed_workspace: Workspace, pages: Pages) -> None:
    """Each part, with its context and the digest that dvc.lock has."""
    expected = {
        (
            f"synthetic-{part}",
            hashlib.md5(part.encode(), usedforsecurity=False).hexdigest(),
            context,
        )
        for part, context in (
            ("train", "training"),
            ("validation", "validation"),
            ("test", "testing"),
        )
    }
    for run in pages.runs().values():
        given = pages.client.get_run(run.info.run_id).inputs.dataset_inputs
        assert expected == {
            (one.dataset.name, one.dataset.digest, one.tags[0].value) for one in given
        }
    assert all(
        digest in (completed_workspace.path / "dvc.lock").read_text() for _, digest, _ in expected
    )


def test_a_run_says_where_it_comes_from(
    completed_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commit, what was changed since, DVC's experiment, dvc.lock, processor and versions."""
    monkeypatch.setenv("DVC_EXP_NAME", "brave-name")
    for command in (
        ("init", "--quiet"),
        ("add", "params.yaml"),
        ("-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "--quiet", "-mfirst"),
    ):
        subprocess.run(["git", *command], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True)
    with (completed_workspace.path / "params.yaml").open("a") as file:
        file.write("# changed\n")
    track_again(completed_workspace)
    pages = Pages(completed_workspace.path)
    # As DVC names the experiment, for many have a run of this name.
    run = pages.runs()["long (brave-name)"]
    tags = run.data.tags
    lock = (completed_workspace.path / "dvc.lock").read_bytes()
    assert head.stdout.decode().strip() == tags["mlflow.source.git.commit"]
    assert (tags["git.dirty"], tags["dvc.experiment"]) == ("true", "brave-name")
    assert hashlib.sha256(lock).hexdigest() == tags["dvc.lock.sha256"]
    assert tags["processor"]
    assert mlflow.__version__ == tags["version.mlflow"]
    assert "tensorflow" in {name.removeprefix("version.") for name in tags}
    kept = _kept(pages, run)
    assert {"dvc.lock", "uncommitted.patch", "plots/cost.png", "plots/confusion.png"} == set(kept)
    assert lock == kept["dvc.lock"]
    assert b"+# changed" in kept["uncommitted.patch"]
    assert kept["plots/confusion.png"] == b"a picture: long/confusion.png"
    note = tags["mlflow.note.content"]
    assert note.startswith("**long**: after 120 iterations the 30-8-4 network reads **98.33%**")


def _kept(pages: Pages, run: Run) -> dict[str, bytes]:
    folder = Path(pages.client.download_artifacts(run.info.run_id, ""))
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_environment_stays_out(
    completed_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret in it is neither in the database nor in any file that MLflow keeps."""
    monkeypatch.setenv("SOME_TOKEN", "hunter2-5d41402abc4b")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2-5d41402abc4b")
    track_again(completed_workspace)
    Pages(completed_workspace.path).assert_whole()
    files = [
        *completed_workspace.path.glob("mlflow.db*"),
        *completed_workspace.path.glob("mlartifacts/**/*"),
    ]
    contents = [path.read_bytes() for path in files if path.is_file()]
    assert len(contents) > 10
    assert not any(b"hunter2" in content for content in contents)


def test_the_model_answers_as_evaluate_does(completed_workspace: Workspace, pages: Pages) -> None:
    """The champion gives label and probability of each image."""
    images = np.random.default_rng(0).integers(0, 256, (50, WIDTHS[0]), np.uint8)
    weights = arrays.load_weights(completed_workspace.path / "models/long/weights.npz")
    expected = inference.probabilities(inference.logits(weights, images))
    answers = mlflow.pyfunc.load_model(CHAMPION).predict(images)
    assert list(answers.columns) == ["label", "probability"]
    assert expected.argmax(axis=1).tolist() == answers["label"].tolist()
    assert expected.max(axis=1).tolist() == answers["probability"].tolist()
    pages.assert_whole()


def test_the_model_needs_numpy_alone_and_no_pickle(
    completed_workspace: Workspace, pages: Pages
) -> None:
    """It is code and weights, with a signature and an example."""
    info = mlflow.models.get_model_info(CHAMPION)
    assert f"[('uint8', (-1, {WIDTHS[0]}))]" == str(
        [(str(one.type), one.shape) for one in info.signature.inputs]
    )
    assert info.signature.outputs.input_names() == ["label", "probability"]
    assert info.saved_input_example_info
    folders = list((completed_workspace.path / "mlartifacts/models").iterdir())
    assert len(ITERATIONS) == len(folders)
    for folder in folders:
        names = {path.name for path in folder.rglob("*") if path.is_file()}
        assert not {name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))}
        requirements = (folder / "artifacts/requirements.txt").read_text().split()
        assert [f"mlflow=={mlflow.__version__}", f"numpy=={np.__version__}"] == requirements
        for path in folder.rglob("*"):
            # What pickle writes since its second protocol, and a zip archive is not.
            assert not (path.is_file() and path.read_bytes().startswith(b"\x80"))
    pages.assert_whole()


@pytest.mark.parametrize(
    ("accuracy", "champion"),
    [
        ({"short": (0.9, 0.8), "long": (0.8, 0.9)}, "short"),
        ({"short": (0.8, 0.9), "long": (0.9, 0.8)}, "long"),
        ({"short": (0.7, 0.9), "long": (0.9, 0.49)}, "short"),
        ({"short": (0.9, 0.9), "long": (0.9, 0.9)}, "short"),
        ({"short": (0.9, 0.1), "long": (0.9, 0.1)}, None),
    ],
    ids=["best validation", "not best test", "must pass", "the first of equals", "none passes"],
)
def test_the_champion(
    completed_workspace: Workspace, accuracy: dict[str, tuple[float, float]], champion: str | None
) -> None:
    """It has the best validation accuracy of those that pass; the test images do not choose."""
    write_fake_results(completed_workspace.path, accuracy=accuracy)
    track_again(completed_workspace)
    pages = Pages(completed_workspace.path)
    assert len(pages.client.search_model_versions(f"name = '{MODEL}'")) == 2
    aliases = pages.client.get_registered_model(MODEL).aliases
    if champion is None:
        assert aliases == {}
    else:
        best = pages.client.get_model_version(MODEL, aliases["champion"])
        assert champion == best.tags["run"]
    assert "in MLflow already" in track_again(completed_workspace)


def test_another_result_is_another_run(completed_workspace: Workspace, pages: Pages) -> None:
    """The earlier stays; a better one becomes the champion."""
    write_fake_results(completed_workspace.path, iterations={"long": 240})
    track_again(completed_workspace)
    assert len(pages.all_runs()) == 3
    champion = pages.client.get_model_version_by_alias(MODEL, "champion")
    assert pages.client.get_run(champion.run_id).data.params["iterations"] == "240"


def test_tried_again_nothing_is_written(completed_workspace: Workspace, pages: Pages) -> None:
    """Not a byte, with a look past MLflow as well as through it."""
    before = _bytes(completed_workspace.path)
    assert track_again(completed_workspace) == "short, long: in MLflow already\n"
    assert before == _bytes(completed_workspace.path)
    outcome = completed_workspace.run("track", "--all")
    assert (outcome.status, outcome.out.count("in MLflow already")) == (0, 2)
    assert before == _bytes(completed_workspace.path)
    pages.assert_whole()


def _bytes(path: Path) -> dict[Path, bytes]:
    files = [path / "mlflow.db", *(path / "mlartifacts").rglob("*")]
    return {file: file.read_bytes() for file in files if file.is_file()}


def _delete_run(pages: Pages) -> None:
    pages.client.delete_run(pages.runs()["long"].info.run_id)


def _delete_experiment(pages: Pages) -> None:
    pages.client.delete_experiment(pages.experiment)


def _delete_model(pages: Pages) -> None:
    (output,) = pages.client.get_run(pages.runs()["long"].info.run_id).outputs.model_outputs
    pages.client.delete_logged_model(output.model_id)


def _delete_version(pages: Pages) -> None:
    pages.client.delete_registered_model_alias(MODEL, "champion")
    pages.client.delete_model_version(MODEL, "2")


def _delete_registered_model(pages: Pages) -> None:
    pages.client.delete_registered_model(MODEL)


def _delete_alias(pages: Pages) -> None:
    pages.client.delete_registered_model_alias(MODEL, "champion")


def _delete_artifacts(pages: Pages) -> None:
    shutil.rmtree(pages.path / "mlartifacts")


def _delete_a_runs_artifacts(pages: Pages) -> None:
    shutil.rmtree(pages.path / "mlartifacts" / pages.runs()["long"].info.run_id)


def _delete_a_file(pages: Pages) -> None:
    next((pages.path / "mlartifacts/models").rglob("weights.npz")).unlink()


def _leave_half(status: str) -> Callable[[Pages], None]:
    """Do as a process that has died, or has failed, somewhere else."""

    def leave(pages: Pages) -> None:
        digest = pages.runs()["long"].data.tags["digest"]
        _delete_run(pages)
        made = pages.client.create_run(pages.experiment, tags={"digest": digest}, run_name="long")
        if status != "RUNNING":
            pages.client.set_terminated(made.info.run_id, status)

    return leave


def _double(pages: Pages) -> None:
    """Do as somebody who restores a deleted run, after it was made again."""
    deleted = pages.runs()["long"].info.run_id
    pages.client.delete_run(deleted)
    subprocess.run([sys.executable, "-m", "stages.track"], env=_environment(), check=True)
    pages.client.restore_run(deleted)
    assert len(pages.all_runs()) == 3


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if "MLFLOW" not in name}
    return inherited | {"PYTHONPATH": str(Path(__file__).parents[1])}


HARM = {
    "a run deleted": _delete_run,
    "the experiment deleted": _delete_experiment,
    "a model deleted": _delete_model,
    "a version deleted": _delete_version,
    "the registered model deleted": _delete_registered_model,
    "the champion deleted": _delete_alias,
    "all artifacts deleted": _delete_artifacts,
    "a run's artifacts deleted": _delete_a_runs_artifacts,
    "a file deleted": _delete_a_file,
    "a run left running": _leave_half("RUNNING"),
    "a run left failed": _leave_half("FAILED"),
    "a run finished without anything": _leave_half("FINISHED"),
    "a run doubled": _double,
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_what_is_missing_is_rebuilt(
    completed_workspace: Workspace, pages: Pages, harm: Callable[[Pages], None]
) -> None:
    """Whatever was done to the store, the next call leaves one whole run of each."""
    harm(pages)
    track_again(completed_workspace)
    pages.assert_whole()
    assert track_again(completed_workspace) == "short, long: in MLflow already\n"


def test_costs_go_out_in_no_more_calls_than_needed(
    completed_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow takes 1,000 metrics, parameters and tags a call."""
    write_fake_results(completed_workspace.path, iterations={"long": 10_000})
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    calls: list[int] = []
    real = SqlAlchemyStore.log_batch

    def counting(store: SqlAlchemyStore, run_id: str, metrics: Any, params: Any, tags: Any) -> None:
        calls.append(len(metrics) + len(params) + len(tags))
        real(store, run_id, metrics, params, tags)

    monkeypatch.setattr(SqlAlchemyStore, "log_batch", counting)
    monkeypatch.setattr(SqlAlchemyStore, "log_metric", lambda *_: pytest.fail("one metric a call"))
    track_again(completed_workspace)
    pages = Pages(completed_workspace.path)
    run_id = pages.runs()["long"].info.run_id
    assert len(pages.client.get_metric_history(run_id, "cost")) == 10_000
    assert len(pages.client.get_metric_history(run_id, "cost_smoothed")) == 313
    assert -(-sum(calls) // 1000) == len(calls)


def _refuse(_: Workspace, monkeypatch: pytest.MonkeyPatch) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://name:hunter2@127.0.0.1:{port}")
    return f"MLflow store http://127.0.0.1:{port}: "


def _schema(schema: str) -> Callable[[Workspace, pytest.MonkeyPatch], str]:
    def change(completed_workspace: Workspace, _: pytest.MonkeyPatch) -> str:
        with closing(sqlite3.connect(completed_workspace.path / "mlflow.db")) as database, database:
            database.execute("UPDATE alembic_version SET version_num = ?", [schema])
        return "its schema is of another version of MLflow"

    return change


def _nonsense(completed_workspace: Workspace, _: pytest.MonkeyPatch) -> str:
    (completed_workspace.path / "mlflow.db").write_bytes(
        b"this is no database, whatever its name says"
    )
    return "file is not a database"


def _unknown(_: Workspace, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "gopher://nowhere")
    return "MLflow store gopher://nowhere: "


TROUBLE = {
    "a server that is down": _refuse,
    "a newer schema": _schema("f00f00f00f00"),
    "an older schema": _schema("451aebb31d03"),
    "not a database": _nonsense,
    "no such kind of store": _unknown,
}


@pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE)
def test_a_store_that_cannot_be_used_is_one_line(
    completed_workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Callable[[Workspace, pytest.MonkeyPatch], str],
) -> None:
    """It fails with status 1 and what to do; no result is touched, no password shown."""
    results = {
        path: path.read_bytes() for path in completed_workspace.path.rglob("*.*") if path.is_file()
    }
    said = trouble(completed_workspace, monkeypatch)
    outcome = completed_workspace.run("track")
    assert outcome.status == 1
    assert said in outcome.error()
    assert "`python -m stages.track`" in outcome.error()
    assert "hunter2" not in outcome.err
    results.pop(completed_workspace.path / "mlflow.db")
    assert results == {path: path.read_bytes() for path in results}


def test_a_moved_repository_says_what_to_do(
    completed_workspace: Workspace, pages: Pages, empty_store: Path
) -> None:
    """The store knows its artifacts by absolute paths; done as told, it is whole again."""
    assert pages.runs()
    moved = completed_workspace.path.parent / "moved here"
    completed_workspace.path.rename(moved)
    completed_workspace.path.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(moved)
        outcome = completed_workspace.run("track")
        assert outcome.status == 1
        assert "delete mlflow.db and mlartifacts" in outcome.error()
        shutil.copy(empty_store, moved)
        shutil.rmtree(moved / "mlartifacts")
        subprocess.run([sys.executable, "-m", "stages.track"], env=_environment(), check=True)
        mlflow.set_tracking_uri(f"sqlite:///{moved}/mlflow.db")
        Pages(moved).assert_whole()
