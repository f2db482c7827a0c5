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

import mlflow
import pytest
from mlflow import MlflowClient

from common.results import load_model
from common.splits import SPLITS
from stages.track.provenance import COMMIT, Provenance
from stages.track.runs import load_runs
from stages.track.store import _set_variables, open_store
from support.trainings import begin_training
from tests.project import make_project
from tests.workspace import ITERATIONS, ROOT, Workspace, write_fake_results

# MLflow's libraries warn about each other.
pytestmark = pytest.mark.filterwarnings("ignore")

NAME = "synthetic"


class Pages:
    """What a user sees in MLflow's pages."""

    def __init__(self, uri: str = "", name: str = NAME) -> None:
        uri = uri or f"sqlite:///{Path.cwd()}/mlflow.db"
        self.client, self.name = MlflowClient(uri, uri), name

    def runs(self) -> dict[str, Any]:
        """Return all runs that are not deleted, by their names."""
        experiment = self.client.get_experiment_by_name(self.name)
        assert experiment
        runs = self.client.search_runs([experiment.experiment_id])
        assert len({run.info.run_name for run in runs}) == len(runs)
        return {run.info.run_name: run for run in runs}

    def aliases(self) -> dict[str, str]:
        """Return the name of the run that each alias points to."""
        model = self.client.get_registered_model(self.name)
        versions = {
            a: self.client.get_model_version(self.name, v) for a, v in model.aliases.items()
        }
        runs = {alias: self.client.get_run(str(one.run_id)) for alias, one in versions.items()}
        return {alias: str(run.info.run_name) for alias, run in runs.items()}

    def assert_complete(self, *names: str) -> None:
        """Check that there is one complete run of each result, with its model and version."""
        runs = self.runs()
        assert sorted(runs) == sorted(names)
        for run in runs.values():
            assert run.info.status == "FINISHED"
            costs = self.client.get_metric_history(run.info.run_id, "cost")
            assert str(len(costs)) == run.data.params["iterations"]
            assert "dvc.lock" in {file.path for file in self.client.list_artifacts(run.info.run_id)}
            query = f"name = '{self.name}' and run_id = '{run.info.run_id}'"
            (version,) = self.client.search_model_versions(query)
            assert version.tags["fingerprint"] == run.data.tags["fingerprint"]
            (model,) = run.outputs.model_outputs
            assert self.client.get_logged_model(model.model_id).status == "READY"


def track(workspace: Workspace, *arguments: str) -> str:
    """Run the command, and return what it printed."""
    outcome = workspace.run("track", *arguments)
    assert (outcome.status, outcome.err) == (0, "")
    return outcome.out


@pytest.fixture
def pages(finished: Workspace) -> Pages:
    """Return the pages of a store in which both runs are tracked."""
    track(finished)
    return Pages()


def test_a_run_holds_what_is_in_the_files(pages: Pages) -> None:
    """Settings, results, data, costs and origin."""
    pages.assert_complete("short", "long")
    assert pages.aliases() == {"short": "short", "long": "long"}
    for expected in load_runs(Path()):
        run = pages.runs()[expected.name]
        params = {key: str(value) for key, value in expected.params.items()}
        assert params.items() <= run.data.params.items()
        (data,) = run.inputs.dataset_inputs
        assert (data.dataset.name, data.dataset.digest) == (NAME, expected.md5["data/flat"])
        metrics = {f"accuracy_{split}": getattr(expected.result, split) for split in SPLITS}
        # The last class has no test examples.
        recall = enumerate(("recall_a", "recall_b", "recall_c"))
        metrics |= {name: 1 - label / ITERATIONS[expected.name] for label, name in recall}
        assert {name: run.data.metrics[name] for name in metrics} == metrics
        history = pages.client.get_metric_history(run.info.run_id, "cost")
        costs = sorted((one.step, one.value) for one in history)
        assert costs == list(enumerate(expected.load_costs().tolist()))
        assert {"git.dirty", "package_mlflow", "processor"} <= set(run.data.tags)
        architecture = load_model(Path("models", expected.name)).architecture
        assert run.data.params["architecture"] == architecture
        note = f"{architecture}; {expected.summary}. The costs are made up."
        assert run.data.tags["mlflow.note.content"] == note


def test_a_run_has_the_times_and_the_device_of_its_training(finished: Workspace) -> None:
    """A result whose training is unknown has the time at which it is tracked."""
    files = Path("costs/long.csv"), Path("curves/long.csv")
    with begin_training("long", NAME, *files) as training:
        training.add_time(100)
        time.sleep(0.01)
        training.add_time(200)
        training.end("CPU, 3 threads")
    (_, middle, end), start = training.times()[1], training.about.start
    track(finished)
    pages = Pages()
    runs = pages.runs()
    long = runs["long"]
    assert (long.info.start_time, long.info.end_time) == (start, end)
    assert long.data.tags["device"] == "CPU, 3 threads"
    history = pages.client.get_metric_history(long.info.run_id, "cost")
    assert {one.step: one.timestamp for one in history}[100] == middle
    short = runs["short"].info
    assert short.start_time == short.end_time
    assert abs(time.time() * 1000 - short.start_time) < 60_000
    assert runs["short"].data.tags["device"] == "unknown"


def test_an_earlier_result_has_the_time_of_its_commit(
    finished: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does not move the alias."""
    past = Provenance({COMMIT: "0123456789"}, committed_at=1_600_000_000)
    with open_store(finished.path) as store:
        for run in load_runs(Path()):
            store.track(run, past)
    assert capsys.readouterr().out.startswith("01234567: short: 20 iterations, test 90.00%: track")
    pages = Pages()
    pages.assert_complete("short", "long")
    times = {(run.info.start_time, run.info.end_time) for run in pages.runs().values()}
    assert times == {(1_600_000_000_000, 1_600_000_000_000)}
    assert pages.aliases() == {}


def test_uncommitted_changes_are_kept_as_a_patch(finished: Workspace) -> None:
    run, _ = load_runs(Path())
    with open_store(finished.path) as store:
        run_id = store.track(run, Provenance({}, b"+changed"))
    patch = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/uncommitted.patch")
    assert Path(patch).read_bytes() == b"+changed"


def test_of_a_long_run_means_are_stored(
    finished: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last iteration is one of the points, and all costs are in an artifact."""
    monkeypatch.setattr("stages.track.track.MAX_COSTS", 10)
    write_fake_results(finished.path, iterations={"long": 25})
    track(finished)
    pages = Pages()
    run = pages.runs()["long"]
    history = pages.client.get_metric_history(run.info.run_id, "cost")
    costs = load_runs(Path())[0].load_costs()
    steps = [2, 5, 8, 11, 14, 17, 20, 23, 24]
    assert sorted(one.step for one in history) == steps
    values = {one.step: one.value for one in history}
    assert [values[2], values[24]] == pytest.approx([costs[:3].mean(), costs[24]])
    assert "long.csv" in {one.path for one in pages.client.list_artifacts(run.info.run_id)}


def test_after_an_edit_of_the_models_code_the_alias_serves_the_new(
    pages: Pages, finished: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another version of the same run; `dvc repro` has found the same results."""
    before = pages.runs()["long"].info
    finished.put("code", {path.name: path.read_bytes() for path in (ROOT / "common").glob("*.py")})
    monkeypatch.setattr("stages.track.runs.CODE", finished.path / "code")
    with Path("code/model.py").open("a") as file:
        file.write("EDITED = True\n")
    for _ in range(2):
        assert track(finished).count("in MLflow already") == 2
        version = pages.client.get_model_version_by_alias(NAME, "long")
        assert (version.run_id, int(version.version)) == (before.run_id, 4)
    assert pages.runs()["long"].info.end_time == before.end_time
    code = Path(mlflow.artifacts.download_artifacts("models:/synthetic@long"))
    assert "EDITED" in next(code.rglob("model.py")).read_text()


def test_nothing_is_written_where_nothing_is_missing(pages: Pages, finished: Workspace) -> None:
    before = Path("mlflow.db").read_bytes()
    for arguments in ((), ("--all",)):
        out = track(finished, *arguments)
        assert out.count("in MLflow already") == 2
        assert ("no earlier results: this folder is not in a git" in out) == bool(arguments)
    assert Path("mlflow.db").read_bytes() == before
    pages.assert_complete("short", "long")


HARM: dict[str, Callable[[Any, str], object]] = {
    "a run deleted": lambda client, run: client.delete_run(run),
    "a version deleted": lambda client, _: client.delete_model_version(NAME, "2"),
    "the model deleted": lambda client, _: client.delete_registered_model(NAME),
    "the alias deleted": lambda client, _: client.delete_registered_model_alias(NAME, "long"),
    "the alias moved": lambda client, _: client.set_registered_model_alias(NAME, "long", "1"),
    "a run incomplete": lambda client, run: client.set_terminated(run, "FAILED"),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_the_next_call_leaves_one_complete_run_of_each(
    pages: Pages, finished: Workspace, harm: Callable[[Any, str], object]
) -> None:
    harm(pages.client, pages.runs()["long"].info.run_id)
    track(finished)
    pages.assert_complete("short", "long")
    assert pages.aliases() == {"short": "short", "long": "long"}


def test_an_experiment_does_not_move_the_alias(
    pages: Pages, finished: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is moved when the same files become those of the repository."""
    write_fake_results(finished.path, seed=2)
    monkeypatch.setenv("DVC_EXP_NAME", "brave")
    track(finished)
    assert pages.aliases() == {"short": "short", "long": "long"}
    monkeypatch.delenv("DVC_EXP_NAME")
    track(finished)
    assert pages.aliases() == {"short": "short (brave)", "long": "long (brave)"}
    pages.assert_complete("short", "long", "short (brave)", "long (brave)")


def test_a_deleted_experiment_is_named(pages: Pages, finished: Workspace) -> None:
    pages.client.delete_experiment("1")
    error = finished.run("track").error()
    assert f"Cannot set a deleted experiment '{NAME}' as the active experiment" in error


def test_a_folder_that_was_moved_is_named(
    pages: Pages, finished: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow would write its next files where the folder was, and not find the earlier ones."""
    before = pages.client.get_experiment("1").artifact_location
    finished.path = finished.path.rename(finished.path.with_name("moved"))
    monkeypatch.chdir(finished.path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # MLflow has set it in this process
    assert f"mlflow.db is of another folder, with {before}: " in finished.run("track").error()


def test_a_name_that_mlflow_reserves_is_no_alias(finished: Workspace) -> None:
    write_fake_results(finished.path, iterations={"v1": 20})
    expected = f"models:/{NAME}@v1 is not set: Version alias name 'v1' is reserved."
    assert expected in track(finished)
    Pages().assert_complete("v1")


OTHERS = ("ACTIVE_MODEL_ID", "RUN_ID", "EXPERIMENT_ID", "REGISTRY_URI", "ENABLE_WORKSPACES")


@pytest.mark.slow
def test_variables_for_other_programs_do_not_reach_the_repositorys_store(
    finished: Workspace,
) -> None:
    """The experiment and the registered model can be named."""
    with pytest.MonkeyPatch.context() as patch:
        for name in OTHERS:
            patch.setenv(f"MLFLOW_{name}", "true")
        patch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
        outcome = finished.run_apart(sys.executable, "-m", "stages.track")
    assert (outcome.status, outcome.err) == (0, "")
    Pages(name="mine").assert_complete("short", "long")


@pytest.mark.parametrize("uri", ["sqlite:///mlflow.db", "https://example.org"])
def test_which_variables_reach_mlflow(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    """A server may need any but those that would change our runs; time limits can be chosen."""
    names = ("EXPERIMENT_NAME", "TRACKING_URI", "TRACKING_TOKEN", "REGISTRY_URI")
    harmful = ("RUN_ID", "ACTIVE_MODEL_ID", "ENABLE_ASYNC_LOGGING", "ENABLE_SYSTEM_METRICS_LOGGING")
    for name in (*names, *harmful, "HTTP_REQUEST_TIMEOUT"):
        monkeypatch.setenv(f"MLFLOW_{name}", "7")
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", dict(os.environ))
        _set_variables(uri)
        variables = dict(os.environ)
    is_server = uri.startswith("https")
    kept = set(names) if is_server else {"EXPERIMENT_NAME", "TRACKING_URI"}
    assert {name for name in (*names, *harmful) if f"MLFLOW_{name}" in variables} == kept
    assert variables["MLFLOW_HTTP_REQUEST_TIMEOUT"] == ("7" if is_server else "30")
    assert variables["MLFLOW_DISABLE_TELEMETRY"] == "true"


TROUBLE = {
    "http://name:hunter2@127.0.0.1:9": (1, "127.0.0.1:9"),
    "postgresql://name:hunter2@127.0.0.1:9/x": (1, "No module named 'psycopg"),
    "file:./mlruns": (1, "file"),
    "gopher://nowhere": (1, "MLflow at gopher://nowhere: "),
    "sqlite:///text.db": (1, "file is not a database"),
    "databricks": (2, "Databricks is not supported"),
}


@pytest.mark.parametrize("uri", TROUBLE)
def test_a_store_that_cannot_be_used_is_one_line(
    finished: Workspace, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    """Nothing is written, and no password is printed."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    finished.put(".", {"text.db": b"this is no database"})
    before = sorted(Path().rglob("*.*"))
    outcome = finished.run("track")
    status, reason = TROUBLE[uri]
    assert (outcome.status, reason in outcome.error()) == (status, True), outcome.err
    assert "hunter2" not in outcome.out + outcome.err
    assert sorted(path for path in Path().rglob("*.*") if ".dvc" not in path.parts) == before


def test_a_path_with_a_percent_sign_is_refused(
    finished: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished.path = finished.path.rename(finished.path.with_name("100%"))
    monkeypatch.chdir(finished.path)
    assert "in a path with % or ?" in finished.run("track").error()


MOMENTS = {
    "with the run created": "SELECT 1 FROM runs WHERE name = 'long'",
    "with the model created": "SELECT 1 FROM logged_models",
    "within the costs": "SELECT 1 FROM metrics WHERE key = 'cost' AND step > 1000",
    "with the run complete": "SELECT 1 FROM runs WHERE status = 'FINISHED'",
    "with the version created": "SELECT 1 FROM model_versions",
}


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_after_sigkill_the_next_call_leaves_one_run(finished: Workspace, moment: str) -> None:
    write_fake_results(finished.path, iterations={"long": 10_000})
    command = [sys.executable, "-m", "stages.track"]
    with (
        subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}) as process,
        closing(sqlite3.connect("file:mlflow.db?mode=ro", uri=True)) as database,
    ):
        while process.poll() is None and not database.execute(moment).fetchone():
            time.sleep(0.001)
        process.kill()
    track(finished)
    Pages().assert_complete("long")


@pytest.mark.slow
def test_results_and_experiments_reach_the_repositorys_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With commit, changes and figures; from temporary folders, too, and in a larger repository."""
    project = make_project(tmp_path)
    monkeypatch.chdir(project.path)
    (project.path / ".git").rename(tmp_path / ".git")
    project.do("git", "config", "user.name", "Test")
    project.do("git", "config", "user.email", "test@example.org")
    project.commit()
    commit = project.do("git", "rev-parse", "HEAD").strip()
    (project.path / "README.md").write_text("changed\n")
    project.do("dvc", "repro")
    project.commit()
    project.do("dvc", "exp", "run", "--temp", "--name", "temporary", "-S", "train.seed=3")
    pages, names = Pages(), ("short", "long", "short (temporary)", "long (temporary)")
    pages.assert_complete(*names)
    assert pages.aliases() == {"short": "short", "long": "long"}
    run = pages.runs()["long"]
    tags = run.data.tags
    assert (tags["mlflow.source.git.commit"], tags["git.dirty"]) == (commit, "true")
    folder = Path(pages.client.download_artifacts(run.info.run_id, ""))
    assert b"+changed" in (folder / "uncommitted.patch").read_bytes()
    assert {"cost.png", "costs.png"} <= {path.name for path in (folder / "figures").iterdir()}
    assert pages.runs()["long (temporary)"].data.tags["dvc.experiment"] == "temporary"
    (project.path / "mlflow.db").unlink()
    out = project.do("python", "-m", "stages.track", "--all")
    assert (out.count(": tracked"), "temporary: long: " in out) == (4, True)
    pages.assert_complete(*names)
    # A relative database is the repository's, and so are the artifacts of any database.
    variables = {"MLFLOW_TRACKING_URI": "sqlite+pysqlite:///other.db"}
    out = project.do("dvc", "exp", "run", "--temp", "-S", "train.seed=4", **variables)
    assert f"writing to MLflow at sqlite+pysqlite:///{project.path}/other.db" in out
    experiment = Pages(f"sqlite:///{project.path}/other.db").client.get_experiment_by_name(NAME)
    assert experiment
    assert experiment.artifact_location == (project.path / "mlartifacts").as_uri()
