"""MLflow as a view of the files: what a run holds, and that there is one of each."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stages.track.runs import load_runs
from tests.project import make_project
from tests.server import Server
from tests.workspace import ROOT, Workspace, write_fake_results

# MLflow's libraries warn about each other.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

NAME = "synthetic"


class Pages:
    """What a user sees, and can do, in MLflow's pages."""

    def __init__(self, folder: Path, database: str = "mlflow.db") -> None:
        from mlflow import MlflowClient

        self.client = MlflowClient(f"sqlite:///{folder}/{database}")

    def runs(self) -> list[Any]:
        """Return all runs that are not deleted."""
        experiment = self.client.get_experiment_by_name(NAME)
        assert experiment
        return list(self.client.search_runs([experiment.experiment_id]))

    def run(self, name: str) -> Any:
        """Return the only run with a name."""
        (run,) = (run for run in self.runs() if run.info.run_name == name)
        return run

    def champion(self) -> str | None:
        """Return the name of the run whose model is the champion."""
        version = self.client.get_registered_model(NAME).aliases.get("champion")
        return version and str(self.client.get_model_version(NAME, version).tags["run"])

    def versions(self) -> list[str]:
        """Return the identifiers of the runs that have a registered version."""
        return sorted(one.run_id for one in self.client.search_model_versions(f"name = '{NAME}'"))

    def assert_complete(self, results: int) -> None:
        """Check that each result has one run, model and version, and that all are complete."""
        runs = self.runs()
        assert [run.info.status for run in runs] == ["FINISHED"] * results
        assert len({run.data.tags["fingerprint"] for run in runs}) == results
        assert self.versions() == sorted(run.info.run_id for run in runs)
        models = self.client.search_logged_models([runs[0].info.experiment_id])
        ready = [model.source_run_id for model in models if model.status == "READY"]
        assert set(self.versions()) <= set(ready)
        for run in runs:
            costs = self.client.get_metric_history(run.info.run_id, "cost")
            assert str(len(costs)) == run.data.params["iterations"]
            assert "dvc.lock" in {file.path for file in self.client.list_artifacts(run.info.run_id)}


def track(workspace: Workspace, *arguments: str) -> str:
    """Run the command, and return what it printed."""
    outcome = workspace.run("track", *arguments)
    assert (outcome.status, outcome.err) == (0, "")
    return outcome.out


@pytest.fixture
def pages(finished: Workspace) -> Pages:
    """Return the pages of a store in which both runs are tracked."""
    track(finished)
    return Pages(finished.path)


def test_a_run_holds_what_is_in_the_files(pages: Pages) -> None:
    """Settings, results, data, costs and origin."""
    import mlflow

    from stages.track.mlflow_store import CONTEXTS

    pages.assert_complete(2)
    assert pages.champion() == "long"
    for expected in load_runs(Path()):
        run = pages.run(expected.name)
        params = expected.params | {"architecture": expected.architecture}
        assert run.data.params == {key: str(value) for key, value in params.items()}
        inputs = {one.dataset.name: one for one in run.inputs.dataset_inputs}
        for split, context in CONTEXTS.items():
            assert run.data.metrics[f"accuracy_{split}"] == getattr(expected.result, split)
            data = inputs[f"{NAME}-{split}"]
            assert (data.dataset.digest, data.tags[0].value) == (expected.data[split], context)
        assert {name for name in run.data.metrics if name.startswith("recall_")} == {
            f"recall_{label}" for label in expected.recall
        }
        history = pages.client.get_metric_history(run.info.run_id, "cost")
        costs = sorted((one.step, one.value) for one in history)
        assert costs == list(enumerate(expected.costs.tolist()))
        tags = run.data.tags
        assert (tags["fingerprint"], tags["git.dirty"]) == (expected.fingerprint, "unknown")
        assert tags["package_mlflow"] == mlflow.__version__


@pytest.mark.parametrize(
    ("accuracy", "champion"),
    [
        ({"short": (0.9, 0.8), "long": (0.8, 0.9)}, "short"),
        ({"short": (0.7, 0.9), "long": (0.9, 0.49)}, "short"),
        ({"short": (0.9, 0.9), "long": (0.9, 0.9)}, "short"),
    ],
    ids=["best validation, not best test", "must pass", "the first of equals"],
)
def test_the_champion_has_the_best_validation_accuracy_of_those_that_pass(
    finished: Workspace, accuracy: dict[str, tuple[float, float]], champion: str
) -> None:
    write_fake_results(finished.path, accuracy=accuracy)
    track(finished)
    pages = Pages(finished.path)
    assert (len(pages.versions()), pages.champion()) == (2, champion)


def test_a_changed_threshold_changes_only_the_champion(pages: Pages, finished: Workspace) -> None:
    before = pages.versions()
    for threshold, champion in ((0.999, None), (0.5, "long")):
        write_fake_results(finished.path, threshold=threshold)
        track(finished)
        assert (pages.versions(), pages.champion(), len(pages.runs())) == (before, champion, 2)


def test_nothing_is_written_where_nothing_is_missing(pages: Pages, finished: Workspace) -> None:
    """Not a byte, however often it is run."""
    before = Path("mlflow.db").read_bytes()
    for arguments in ((), ("--all",)):
        assert track(finished, *arguments).count("in MLflow already") == 2
    assert Path("mlflow.db").read_bytes() == before
    pages.assert_complete(2)


HARM: dict[str, Callable[[Any, str], object]] = {
    "a run deleted": lambda client, run: client.delete_run(run),
    "the experiment deleted": lambda client, _: client.delete_experiment("1"),
    "a version deleted": lambda client, _: client.delete_model_version(NAME, "1"),
    "the model deleted": lambda client, _: client.delete_registered_model(NAME),
    "the alias deleted": lambda client, _: client.delete_registered_model_alias(NAME, "champion"),
    "a run incomplete": lambda client, run: client.set_terminated(run, "FAILED"),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_the_next_call_leaves_one_complete_run_of_each(
    pages: Pages, finished: Workspace, harm: Callable[[Any, str], object]
) -> None:
    harm(pages.client, pages.run("long").info.run_id)
    track(finished)
    pages.assert_complete(2)
    assert pages.champion() == "long"
    assert track(finished).count("in MLflow already") == 2


def test_two_machines_at_once_leave_one_run(
    pages: Pages, finished: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other has stored the same result since this one looked."""
    from stages.track.mlflow_store import Store

    create = Store._create
    monkeypatch.setattr(Store, "_create", lambda *run: (create(*run), create(*run))[1])
    write_fake_results(finished.path, seed=2)
    track(finished)
    pages.assert_complete(4)


TROUBLE = {
    "http://name:hunter2@127.0.0.1:9": "127.0.0.1:9: no answer",
    "mysql://name:hunter2@127.0.0.1:9/x": "install 'mysqlclient'",
    "file:./mlruns": "unset MLFLOW_TRACKING_URI",
    "gopher://nowhere": "MLflow store gopher://nowhere: ",
    "sqlite:///newer.db": "its schema belongs to another version of MLflow; `mlflow db upgrade",
    "sqlite:///older.db": "its schema belongs to another version of MLflow; `mlflow db upgrade",
    "sqlite:///text.db": "file is not a database",
}


@pytest.mark.parametrize("uri", TROUBLE)
def test_a_store_that_cannot_be_used_is_one_line(
    finished: Workspace, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    """No result is touched, nothing is written, no password is printed."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    store = Path("mlflow.db").read_bytes()
    files = {"text.db": b"this is no database", "newer.db": store, "older.db": store}
    finished.put(".", files)
    for name, schema in (("newer.db", "f00f00f00f00"), ("older.db", "451aebb31d03")):
        with closing(sqlite3.connect(name)) as database, database:
            database.execute("UPDATE alembic_version SET version_num = ?", [schema])
    before = sorted(Path().rglob("*.*"))
    outcome = finished.run("track")
    assert (outcome.status, TROUBLE[uri] in outcome.error()) == (1, True), outcome.err
    assert "hunter2" not in outcome.err
    assert sorted(path for path in Path().rglob("*.*") if ".dvc" not in path.parts) == before


def test_an_old_server_is_refused_before_anything_is_written(
    finished: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/version"] = b"2.22.5"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    outcome = finished.run("track")
    assert outcome.error() == f"{server.url} is MLflow 2.22.5, 3 is needed"
    assert server.requests == ["/version"]


@pytest.mark.usefixtures("pages")
def test_a_moved_repository_is_named(finished: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store knows its artifacts by absolute paths."""
    path = finished.path
    finished.path = path.rename(path.parent / "moved here")
    monkeypatch.chdir(finished.path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # MLflow has set it in this process
    outcome = finished.run("track")
    assert "delete mlflow.db and mlartifacts, `python -m stages.track" in outcome.error()


MOMENTS = {
    "with the run created": "SELECT 1 FROM runs WHERE name = 'long'",
    "with the model created": "SELECT 1 FROM logged_models",
    "within the costs": "SELECT 1 FROM metrics WHERE key = 'cost' AND step > 1000",
    "with the run complete": "SELECT 1 FROM runs WHERE status = 'FINISHED'",
    "with the version created": "SELECT 1 FROM model_versions",
}


@pytest.mark.fault
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_after_sigkill_the_next_call_leaves_one_run(finished: Workspace, moment: str) -> None:
    path = finished.path
    write_fake_results(path, iterations={"long": 10_000})
    command = [sys.executable, "-m", "stages.track"]
    with (
        subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}) as process,
        closing(sqlite3.connect(f"file:{path}/mlflow.db?mode=ro", uri=True)) as database,
    ):
        while process.poll() is None and not database.execute(moment).fetchone():
            time.sleep(0.001)
        process.kill()
    track(finished)
    Pages(path).assert_complete(1)


def test_results_and_experiments_reach_the_repositorys_store(tmp_path: Path) -> None:
    """With commit, changes and figures; from temporary folders, too, and in a larger repository."""
    project = make_project(tmp_path)
    (project.path / ".git").rename(tmp_path / ".git")
    project.commit()
    commit = project.do("git", "rev-parse", "HEAD").strip()
    (project.path / "README.md").write_text("changed\n")
    project.do("dvc", "repro")
    project.commit()
    project.do("dvc", "exp", "run", "--temp", "--name", "temporary", "-S", "train.seed=3")
    pages = Pages(project.path)
    pages.assert_complete(4)
    tags = pages.run("long").data.tags
    assert (tags["mlflow.source.git.commit"], tags["git.dirty"]) == (commit, "true")
    folder = Path(pages.client.download_artifacts(pages.run("long").info.run_id, ""))
    assert b"+changed" in (folder / "uncommitted.patch").read_bytes()
    assert {"cost.png", "costs.png"} <= {path.name for path in (folder / "figures").iterdir()}
    assert pages.run("long (temporary)").data.tags["dvc.experiment"] == "temporary"
    (project.path / "mlflow.db").unlink()
    out = project.do("python", "-m", "stages.track", "--all")
    assert out.count("tracked as run") == 4
    assert "temporary: long: " in out
    pages.assert_complete(4)
    # A relative database is the repository's, and so are the artifacts of any database.
    variables = {"MLFLOW_TRACKING_URI": "sqlite+pysqlite:///other.db"}
    project.do("dvc", "exp", "run", "--temp", "-S", "train.seed=4", **variables)
    experiment = Pages(project.path, "other.db").client.get_experiment_by_name("synthetic")
    assert experiment
    assert experiment.artifact_location == (project.path / "mlartifacts").as_uri()
