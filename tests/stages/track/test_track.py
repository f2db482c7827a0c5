"""The command that brings MLflow up to date: interrupted, in a crowd, and under DVC."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.fixtures import ITERATIONS, ROOT, Workspace, Project, write_fake_results
from mlflow import MlflowClient
from mlflow.entities import ViewType

# MLflow's libraries warn of one another.
pytestmark = pytest.mark.filterwarnings("ignore")

MODEL = "synthetic-mlp"
SECONDS = 120


def start(**environment: str) -> subprocess.Popen[str]:
    """Start `python -m stages.track` in the working directory."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MLFLOW_", "DVC_", "PYTHON"))
    }
    return subprocess.Popen(
        [sys.executable, "-m", "stages.track"],
        env=inherited | {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for what must succeed, and give what it printed."""
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (0, "")
    return out


def assert_whole(address: str, runs: int = len(ITERATIONS)) -> None:
    """Check that there are so many finished runs, with models, and nothing half-made."""
    client = MlflowClient(address)
    experiment = client.get_experiment_by_name("synthetic")
    assert experiment
    present = client.search_runs([experiment.experiment_id])
    assert ["FINISHED"] * runs == [run.info.status for run in present]
    assert runs == len({run.data.tags["digest"] for run in present})
    versions = client.search_model_versions(f"name = '{MODEL}'")
    assert sorted(run.info.run_id for run in present) == sorted(one.run_id for one in versions)
    assert client.get_model_version_by_alias(MODEL, "champion")
    models = client.search_logged_models([experiment.experiment_id])
    assert ["READY"] * runs == [model.status for model in models]
    for run in present:
        costs = client.get_metric_history(run.info.run_id, "cost")
        assert run.data.params["iterations"] == str(len(costs))
        assert client.list_artifacts(run.info.run_id)
    for run in client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL):
        assert run.info.status in {"FINISHED", "FAILED", "KILLED"}


MOMENTS = {
    "with the run made": "SELECT 1 FROM runs WHERE name = 'long'",
    "with the model begun": "SELECT 1 FROM logged_models",
    "within the costs": "SELECT 1 FROM metrics WHERE key = 'cost' AND step > 1000",
    "before the version": "SELECT 1 FROM tags WHERE key = 'artifacts'",
    "with the version made": "SELECT 1 FROM model_versions",
}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_what_was_interrupted_is_completed(
    completed_workspace: Workspace, moment: str, number: signal.Signals
) -> None:
    """Ended at any moment, no run looks finished that is not, and the next call leaves one."""
    write_fake_results(completed_workspace.path, iterations={"long": 10_000})
    process = start()
    with closing(
        sqlite3.connect(f"file:{completed_workspace.path}/mlflow.db?mode=ro", uri=True)
    ) as database:
        while not database.execute(moment).fetchone() and process.poll() is None:
            time.sleep(0.001)
    process.send_signal(number)
    out, err = process.communicate(timeout=SECONDS)
    assert ("", process.returncode) == (out, -number if number == signal.SIGKILL else 143), err
    finish(start())
    assert_whole(f"sqlite:///{completed_workspace.path}/mlflow.db", 1)
    assert finish(start()) == "long: in MLflow already\n"


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["mlflow.db", "mlartifacts", "both"])
def test_a_store_of_which_a_part_is_gone_is_made_anew(
    completed_workspace: Workspace, missing: str
) -> None:
    """Database, artifacts or both: the view is whole again."""
    finish(start())
    if missing in {"mlflow.db", "both"}:
        (completed_workspace.path / "mlflow.db").unlink()
    if missing in {"mlartifacts", "both"}:
        shutil.rmtree(completed_workspace.path / "mlartifacts")
    assert finish(start()).count("tracked as run") == 2
    assert_whole(f"sqlite:///{completed_workspace.path}/mlflow.db")


@pytest.mark.slow
def test_four_at_once_leave_one_run_each(completed_workspace: Workspace) -> None:
    """On a store that is not there yet, one makes it and the others wait."""
    (completed_workspace.path / "mlflow.db").unlink()
    out = "".join(finish(process) for process in [start() for _ in range(4)])
    assert out.count("tracked as run") == 2
    assert out.count("waiting for another process") == 3
    assert_whole(f"sqlite:///{completed_workspace.path}/mlflow.db")


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Serve an MLflow store with its artifacts on loopback, and give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
            *("--port", str(port), "--workers", "1", "--serve-artifacts"),
            *("--backend-store-uri", f"sqlite:///{folder}/server.db"),
            *("--artifacts-destination", str(folder / "kept")),
        ],
        env=os.environ
        | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + SECONDS
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while True:
            try:
                opener.open(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(SECONDS)


@pytest.mark.slow
def test_a_server_keeps_runs_and_artifacts(
    completed_workspace: Workspace,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four at once, through HTTP: one run each, and nothing beside the repository's files."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (completed_workspace.path / "mlflow.db").unlink()
    folder = tmp_path_factory.mktemp("server")
    with server(folder) as address:
        tracking = [start(MLFLOW_TRACKING_URI=address) for _ in range(4)]
        out = "".join(finish(process) for process in tracking)
        assert out.count("tracked as run") == 2
        assert_whole(address)
        before = sorted((folder / "kept").rglob("*"))
        assert finish(start(MLFLOW_TRACKING_URI=address)).count("in MLflow already") == 2
        assert before == sorted((folder / "kept").rglob("*"))
        kept = {path.name for path in before}
        assert {"weights.npz", "MLmodel", "dvc.lock", "cost.png"} <= kept
        shown = subprocess.run(
            [sys.executable, "-m", "commands.ui"],
            env=os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": address},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert [f"charts: {address}/#/experiments/", f"table: {address}/#/compare-runs"] == [
            line[: len(address) + (23 if line.startswith("charts") else 22)]
            for line in shown.splitlines()
        ]
    assert not list(completed_workspace.path.glob("ml*"))
    process = start(MLFLOW_TRACKING_URI=address)
    _, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err.count("\n")) == (1, 1)
    assert f"error: MLflow store {address}: no answer from this server" in err


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    """Put a small disk into a folder."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        yield
    finally:
        # Later, once nothing of it is open: MLflow keeps its databases open.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["artifacts", "database"])
def test_a_full_disk_is_one_line(
    completed_workspace: Workspace, empty_store: Path, place: str
) -> None:
    """Nothing is doubled, and with room again the run is completed."""
    write_fake_results(completed_workspace.path, iterations={"long": 10_000})
    folder = (
        completed_workspace.path / "mlartifacts"
        if place == "artifacts"
        else completed_workspace.path / "database"
    )
    folder.mkdir()
    # Each has room for what is there at first, and no more.
    size = "8k" if place == "artifacts" else str(empty_store.stat().st_size + 300_000)
    with mounted(folder, size):
        environment = {}
        if place == "database":
            shutil.copy(empty_store, folder)
            environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        process = start(**environment)
        out, err = process.communicate(timeout=SECONDS)
        assert (process.returncode, out) == (1, ""), err
        assert (err[:7], err.count("\n")) == ("error: ", 1)
        assert "full" in err or "No space left" in err
        subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
        finish(start(**environment))
        assert_whole(
            environment.get(
                "MLFLOW_TRACKING_URI", f"sqlite:///{completed_workspace.path}/mlflow.db"
            ),
            1,
        )


@pytest.mark.slow
@pytest.mark.parametrize("place", ["repository", "database"])
def test_a_store_that_is_read_only_is_one_line(
    completed_workspace: Workspace, empty_store: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """It is named, and with the right to write the next call makes the runs."""
    folder = completed_workspace.path / "disk"
    folder.mkdir()
    with mounted(folder, "64m"):
        shutil.copy(empty_store, folder)
        environment = {}
        if place == "repository":
            write_fake_results(folder)
            monkeypatch.chdir(folder)
            for name in ("params.yaml", "datasets.yaml"):
                shutil.copy(completed_workspace.path / name, folder)
        else:
            environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        process = start(**environment)
        out, err = process.communicate(timeout=SECONDS)
        assert (process.returncode, out) == (1, ""), err
        assert (err[:7], err.count("\n")) == ("error: ", 1)
        assert str(folder) in err
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        finish(start(**environment))
        assert_whole(f"sqlite:///{folder}/mlflow.db")


@pytest.mark.slow
def test_every_kind_of_experiment_reaches_the_store(project: Project) -> None:
    """In the working directory, in a throw-away one and in the queue; `--all` finds all again."""
    project.do("dvc", "repro")
    address = f"sqlite:///{project.path}/mlflow.db"
    assert_whole(address)
    project.do("git", "add", "--all")
    project.do("git", "commit", "--quiet", "--message", "Results")
    for name in ("dvc.yaml", "dvc.lock"):
        with (project.path / name).open("a") as file:
            file.write("broken: [\n")
    project.do("git", "commit", "--quiet", "--all", "--message", "A mistake")
    project.do("git", "revert", "--no-edit", "HEAD")
    project.do("dvc", "exp", "run", "--name", "here", "-S", "train.seed=2")
    project.do("dvc", "exp", "run", "--temp", "--name", "temporary", "-S", "train.seed=3")
    project.do("dvc", "exp", "run", "--queue", "--name", "queued", "-S", "train.seed=4")
    # The worker calls `dvc` by its name, as in an environment that is activated.
    path = f"{project.path}/.venv/bin:{os.environ['PATH']}"
    assert project.run("dvc", "queue", "start", PATH=path).status == 0
    end = time.monotonic() + SECONDS
    while "Success" not in (status := project.do("dvc", "queue", "status")):
        assert "Failed" not in status
        assert time.monotonic() < end
        time.sleep(1)
    assert_whole(address, 8)
    client = MlflowClient(address)
    experiment = client.get_experiment_by_name("synthetic")
    assert experiment
    found = [
        (run.data.params["seed"], run.data.tags.get("dvc.experiment"))
        for run in client.search_runs([experiment.experiment_id])
    ]
    expected = [("1", None), ("2", "here"), ("3", "temporary"), ("4", "queued")]
    assert sorted([*expected, *expected], key=str) == sorted(found, key=str)
    places = (project.path / ".dvc/tmp", project.temporary, project.home)
    assert not [
        path for place in places for path in place.rglob("ml*") if path.name != "mlflow.lock"
    ]

    (project.path / "mlflow.db").unlink()
    shutil.rmtree(project.path / "mlartifacts")
    outcome = project.run("python", "-m", "stages.track", "--all")
    assert (outcome.status, outcome.err) == (0, "")
    first = project.do("git", "rev-list", "--max-parents=0", "HEAD")[:8]
    assert f"{first}: left out: dvc.lock: not found" in outcome.out
    assert outcome.out.count(": left out: ") == 2
    assert outcome.out.count("tracked as run") == 8


@pytest.mark.slow
def test_repro_tracks_again_what_dvc_knows(project: Project) -> None:
    """A failed store costs no result; and DVC's run cache hides no run from a new store."""
    outcome = project.run("dvc", "repro", MLFLOW_TRACKING_URI="gopher://nowhere")
    assert outcome.status != 0
    assert outcome.err.count("error: MLflow store gopher://nowhere") == 1
    out = project.do("dvc", "repro")
    assert out.count("Running stage") == 1
    assert out.count("tracked as run") == 2
    before = (project.path / "dvc.lock").read_bytes()
    project.edit("params.yaml", "\n  seed: 1", "\n  seed: 2")
    project.do("dvc", "repro")
    (project.path / "mlflow.db").unlink()
    shutil.rmtree(project.path / "mlartifacts")
    project.edit("params.yaml", "\n  seed: 2", "\n  seed: 1")
    assert project.do("dvc", "repro").count("tracked as run") == 2
    assert before == (project.path / "dvc.lock").read_bytes()
    assert_whole(f"sqlite:///{project.path}/mlflow.db")
