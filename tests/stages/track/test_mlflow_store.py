"""MLflow as a view of the files: what a run holds, and that there is one of each."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from stages.track import mlflow_store, provenance
from stages.track.runs import load_runs
from tests.fake_results import write_fake_results
from tests.fixtures import Workspace
from tests.server import Server
from tests.stages.track.test_runs import change_threshold
from tests.synthetic import CLASSES, ITERATIONS

# MLflow's libraries warn about each other.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

NAME = "synthetic"


class Pages:
    """What a user sees, and can do, in MLflow's pages."""

    def __init__(self, workspace: Workspace) -> None:
        self.path = workspace.path
        self.workspace = workspace
        self.client = MlflowClient(f"sqlite:///{workspace.path}/mlflow.db")

    def track(self, *arguments: str) -> str:
        """Run the command, and return what it printed."""
        outcome = self.workspace.run("stages.track.__main__", *arguments)
        assert (outcome.status, outcome.err) == (0, "")
        return outcome.out

    def all_runs(self) -> list[Run]:
        """Return all runs that are not deleted."""
        experiment = self.client.get_experiment_by_name(NAME)
        assert experiment
        return list(self.client.search_runs([experiment.experiment_id]))

    def runs(self) -> dict[str, Run]:
        """Return the runs by their names; each is finished and there once."""
        runs = {str(run.info.run_name): run for run in self.all_runs()}
        assert len(runs) == len(self.all_runs())
        assert {run.info.status for run in runs.values()} == {"FINISHED"}
        return runs

    def champion(self) -> str | None:
        """Return the name of the run whose model is the champion."""
        aliases = self.client.get_registered_model(NAME).aliases
        if "champion" not in aliases:
            return None
        return str(self.client.get_model_version(NAME, aliases["champion"]).tags["run"])

    def versions(self) -> list[str]:
        """Return the identifiers of the runs that have a registered version."""
        return sorted(one.run_id for one in self.client.search_model_versions(f"name = '{NAME}'"))

    def assert_complete(self) -> None:
        """Check that both runs are there once, with files, costs, versions and champion."""
        runs = self.runs()
        assert set(runs) == set(ITERATIONS)
        assert self.versions() == sorted(run.info.run_id for run in runs.values())
        assert self.champion() == "long"
        for name, run in runs.items():
            assert len(self.client.get_metric_history(run.info.run_id, "cost")) == ITERATIONS[name]
            files = {file.path for file in self.client.list_artifacts(run.info.run_id)}
            assert files >= {"dvc.lock", "figures"}


@pytest.fixture
def pages(completed_workspace: Workspace) -> Iterator[Pages]:
    """Return the pages of a store in which both runs are tracked."""
    pages = Pages(completed_workspace)
    pages.track()
    uri = mlflow.get_tracking_uri()
    yield pages
    mlflow.set_tracking_uri(uri)


def test_a_run_holds_settings_results_data_and_origin(pages: Pages) -> None:
    """All is as in the files."""
    pages.assert_complete()
    measured = json.loads((pages.path / "metrics/accuracy.json").read_text())
    for expected in load_runs(pages.path):
        run = pages.client.get_run(pages.runs()[expected.name].info.run_id)
        params = expected.params | {"architecture": expected.architecture}
        assert run.data.params == {key: str(value) for key, value in params.items()}
        for split, context in mlflow_store.CONTEXTS.items():
            assert run.data.metrics[f"accuracy_{split}"] == measured[expected.name][split]
            assert (f"{NAME}-{split}", expected.data[split], context) in [
                (one.dataset.name, one.dataset.digest, one.tags[0].value)
                for one in run.inputs.dataset_inputs
            ]
        assert f"recall_{CLASSES - 2}" in run.data.metrics
        history = pages.client.get_metric_history(run.info.run_id, "cost")
        costs = sorted((one.step, one.value) for one in history)
        assert costs == list(enumerate(expected.costs.tolist()))
        tags = run.data.tags
        assert (tags["fingerprint"], tags["git.dirty"]) == (expected.fingerprint, "unknown")
        # A store in files keeps each tag as a file, and DVC reads every file of such a name.
        assert not [name for name in tags if name.endswith(".dvc")]
        assert tags["package_mlflow"] == mlflow.__version__


def test_commit_experiment_and_changes_are_kept(
    completed_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In tags, and as a patch beside the figures."""
    monkeypatch.setenv("DVC_EXP_NAME", "brave-name")
    file = completed_workspace.path / "dvc.yaml"
    file.write_text("stages: {}\n")
    for command in (
        ("init", "--quiet"),
        ("add", "dvc.yaml"),
        ("-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "--quiet", "-mfirst"),
    ):
        subprocess.run(["git", *command], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    file.write_text("stages: {} # changed\n")
    pages = Pages(completed_workspace)
    pages.track()
    run = pages.runs()["long (brave-name)"]
    assert run.data.tags["mlflow.source.git.commit"] == head.stdout.strip()
    assert (run.data.tags["git.dirty"], run.data.tags["dvc.experiment"]) == ("true", "brave-name")
    folder = Path(pages.client.download_artifacts(run.info.run_id, ""))
    assert "# changed" in (folder / "uncommitted.patch").read_text()
    assert (folder / "dvc.lock").read_bytes() == (pages.path / "dvc.lock").read_bytes()
    assert (folder / "figures/confusion.png").read_bytes() == b"a figure: long/confusion.png"


def test_the_environment_is_not_stored(
    completed_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret in it is in no file of the store."""
    monkeypatch.setenv("SOME_TOKEN", "hunter2-5d41402abc4b")
    Pages(completed_workspace).track()
    paths = [*Path().glob("mlflow.db*"), *Path().glob("mlartifacts/**/*")]
    contents = [path.read_bytes() for path in paths if path.is_file()]
    assert len(contents) > 10
    assert not any(b"hunter2" in content for content in contents)


@pytest.mark.parametrize(
    ("accuracy", "champion"),
    [
        ({"short": (0.9, 0.8), "long": (0.8, 0.9)}, "short"),
        ({"short": (0.7, 0.9), "long": (0.9, 0.49)}, "short"),
        ({"short": (0.9, 0.9), "long": (0.9, 0.9)}, "short"),
        ({"short": (0.9, 0.1), "long": (0.9, 0.1)}, None),
    ],
    ids=["best validation, not best test", "must pass", "the first of equals", "none passes"],
)
def test_the_champion_has_the_best_validation_accuracy_of_those_that_pass(
    completed_workspace: Workspace, accuracy: dict[str, tuple[float, float]], champion: str | None
) -> None:
    """The test split does not choose it."""
    write_fake_results(completed_workspace.path, accuracy=accuracy)
    pages = Pages(completed_workspace)
    pages.track()
    assert (len(pages.versions()), pages.champion()) == (2, champion)


def test_a_changed_threshold_makes_no_run_but_changes_the_champion(pages: Pages) -> None:
    """What passes is known by a tag of the version."""
    before = pages.versions()
    for threshold, champion in ((0.999, None), (0.5, "long")):
        change_threshold(pages.path, threshold)
        pages.track()
        assert (pages.versions(), pages.champion(), len(pages.runs())) == (before, champion, 2)


def test_another_result_is_another_run(pages: Pages) -> None:
    """The earlier one stays."""
    write_fake_results(pages.path, iterations={"long": 240})
    pages.track()
    assert (len(pages.all_runs()), len(pages.versions()), pages.champion()) == (3, 3, "long")


def test_nothing_is_written_where_nothing_is_missing(pages: Pages) -> None:
    """Not a byte, however often it is run."""

    def contents() -> dict[Path, bytes]:
        paths = [pages.path / "mlflow.db", *(pages.path / "mlartifacts").rglob("*")]
        return {path: path.read_bytes() for path in paths if path.is_file()}

    before = contents()
    assert pages.track().count("in MLflow already") == 2
    assert pages.track("--all").count("in MLflow already") == 2
    assert contents() == before


def _leave_incomplete(pages: Pages) -> None:
    """Do what a process that was killed does."""
    run = pages.runs()["long"]
    pages.client.delete_tag(run.info.run_id, "fingerprint")


def _duplicate(pages: Pages) -> None:
    """Restore a deleted run after it was made again, as a user may."""
    deleted = pages.runs()["long"].info.run_id
    pages.client.delete_run(deleted)
    pages.track()
    pages.client.restore_run(deleted)
    assert len(pages.all_runs()) == 3


HARM: dict[str, Callable[[Pages], object]] = {
    "a run deleted": lambda pages: pages.client.delete_run(pages.runs()["long"].info.run_id),
    "the experiment deleted": lambda pages: pages.client.delete_experiment("1"),
    "a version deleted": lambda pages: pages.client.delete_model_version(NAME, "1"),
    "the model deleted": lambda pages: pages.client.delete_registered_model(NAME),
    "the alias deleted": lambda pages: pages.client.delete_registered_model_alias(NAME, "champion"),
    "a run incomplete": _leave_incomplete,
    "a run duplicated": _duplicate,
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_the_next_call_leaves_one_complete_run_of_each(
    pages: Pages, harm: Callable[[Pages], object]
) -> None:
    """Whatever was done to the store."""
    harm(pages)
    pages.track()
    pages.assert_complete()
    assert pages.track().count("in MLflow already") == 2


def test_two_machines_at_once_leave_one_run(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other has stored the same result since this one looked."""
    write_fake_results(pages.path, seed=2)
    runs = load_runs(pages.path)
    create = mlflow_store.Store._create

    def create_twice(*arguments: object) -> str:
        create(*arguments)  # type: ignore[arg-type]
        return create(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(mlflow_store.Store, "_create", create_twice)
    with mlflow_store.open_store(pages.path) as store:
        for run in runs:
            store.track(run, provenance.current())
    assert (len(pages.all_runs()), len(pages.versions())) == (4, 4)


def _schema(schema: str) -> Callable[[Path, pytest.MonkeyPatch], str]:
    def change(path: Path, _: pytest.MonkeyPatch) -> str:
        with closing(sqlite3.connect(path / "mlflow.db")) as database, database:
            database.execute("UPDATE alembic_version SET version_num = ?", [schema])
        return "its schema belongs to another version of MLflow; `mlflow db upgrade"

    return change


def _uri(uri: str, said: str) -> Callable[[Path, pytest.MonkeyPatch], str]:
    def change(_: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        return said

    return change


def _nonsense(path: Path, _: pytest.MonkeyPatch) -> str:
    (path / "mlflow.db").write_bytes(b"this is no database, whatever its name says")
    return "file is not a database"


TROUBLE = {
    "a server that is down": _uri("http://name:hunter2@127.0.0.1:9", "127.0.0.1:9: no answer"),
    "a missing driver": _uri("mysql://name:hunter2@127.0.0.1:9/x", "install 'mysqlclient'"),
    "a store in files": _uri("file:./mlruns", "unset MLFLOW_TRACKING_URI"),
    "no such kind of store": _uri("gopher://nowhere", "MLflow store gopher://nowhere: "),
    "a newer schema": _schema("f00f00f00f00"),
    "an older schema": _schema("451aebb31d03"),
    "not a database": _nonsense,
}


@pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE)
def test_a_store_that_cannot_be_used_is_one_line(
    completed_workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Callable[[Path, pytest.MonkeyPatch], str],
) -> None:
    """No result is touched, nothing is written, no password is printed."""
    said = trouble(completed_workspace.path, monkeypatch)
    before = sorted(completed_workspace.path.rglob("*.*"))
    outcome = completed_workspace.run("stages.track.__main__")
    assert (outcome.status, said in outcome.error()) == (1, True), outcome.err
    assert "hunter2" not in outcome.err
    after = completed_workspace.path.rglob("*.*")
    assert sorted(path for path in after if ".dvc" not in path.parts) == before


def test_an_old_server_is_refused_before_anything_is_written(
    completed_workspace: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request is enough."""
    server.files["/version"] = b"2.22.5"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    outcome = completed_workspace.run("stages.track.__main__")
    assert outcome.error() == f"{server.url} is MLflow 2.22.5, 3 is needed"
    assert server.requests == ["/version"]


def test_a_lock_that_another_process_holds_is_waited_for(
    completed_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the command gives up."""
    monkeypatch.setattr(mlflow_store, "LOCK_SECONDS", 0.1)
    lock = completed_workspace.path / ".dvc/tmp/mlflow.lock"
    with mlflow_store._acquire(mlflow_store.FileLock(lock)):
        outcome = completed_workspace.run("stages.track.__main__")
    assert f"waiting for the process that holds {lock}; " in outcome.out
    assert "could not be acquired" in outcome.error()


def test_a_moved_repository_says_what_to_do(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store knows its artifacts by absolute paths."""
    moved = pages.path.parent / "moved here"
    pages.path.rename(moved)
    monkeypatch.chdir(moved)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # MLflow has set it in this process
    outcome = pages.workspace.run("stages.track.__main__")
    assert "delete mlflow.db and mlartifacts, `python -m stages.track" in outcome.error()
    pages.path.mkdir()
