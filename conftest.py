"""The fixtures of all tests, and the order of the tests."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings

from tests.project import Project, make_project, project_in
from tests.workspace import Server, Workspace, write_fake_results

collect_ignore_glob = ["examples/*/tests"]  # of the projects that `make example` makes
# A shell has its background jobs ignore Ctrl+C, and what they start as well; tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)
# A slow machine is no defect.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what makes the completed project, and end with what waits for it."""

    def place(item: pytest.Item) -> int:
        names = getattr(item, "fixturenames", ())
        return 2 if "project_copy" in names else int("completed_project" not in names)

    items.sort(key=place)


@pytest.fixture
def workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Workspace:
    """Return a working directory with valid settings for the synthetic dataset."""
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(tmp_path, capsys)
    workspace.write()
    return workspace


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Start a server that has the synthetic dataset; no proxy is in its way."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with Server() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield server
        server.released.set()
        server.shutdown()


@pytest.fixture(scope="session")
def completed_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a finished, committed project, shared by all workers; commands need a copy."""
    base = tmp_path_factory.getbasetemp()
    path = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "completed"
    with FileLock(f"{path}.lock"):
        if not (path / "complete").exists():
            shutil.rmtree(path, ignore_errors=True)  # of a worker that failed
            project = make_project(path)
            project.do("dvc", "repro")
            project.commit()
            (path / "complete").touch()
    return Project(path / "project", path / "home", path / "temporary")


@pytest.fixture
def project_copy(completed_project: Project, tmp_path: Path) -> Project:
    """Return a copy of the completed project, to run commands in it and to change it."""
    # The MLflow store contains its own path; it is a view, and not copied.
    store = shutil.ignore_patterns("mlflow.db*", "mlartifacts")
    shutil.copytree(completed_project.path, tmp_path / "project", symlinks=True, ignore=store)
    project = project_in(tmp_path)
    project.set_up()
    return project


@pytest.fixture(scope="session")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the database of a new MLflow store, which takes seconds to make."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    command = [sys.executable, "-c", "import mlflow; mlflow.MlflowClient().search_experiments()"]
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{path}"}
    subprocess.run(command, cwd=path.parent, env=environment, check=True, capture_output=True)
    return path


@pytest.fixture
def finished(workspace: Workspace, new_store: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Return a working directory with fake results of both runs, and a new MLflow store."""
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.setenv(name, "")  # so that what MLflow sets is undone as well
        monkeypatch.delenv(name)
    monkeypatch.setenv("DVC_STAGE", "track")  # which DVC runs only if its inputs are complete
    shutil.copy(new_store, workspace.path)
    write_fake_results(workspace.path)
    return workspace


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Start Chromium; each context of it has a profile of its own, and an empty one."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no Playwright: `make test` installs it"
    )
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium: `apt-get install chromium`")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()
