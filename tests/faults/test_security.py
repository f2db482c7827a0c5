"""Nobody in: what is listened to, what is loaded, what is started, and what is written down."""

from __future__ import annotations

import ast
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from tests.fixtures import ROOT, Project

SOURCES = sorted([*(ROOT / "stages").glob("*.py"), *(ROOT / "studies").glob("*.py")])
# They run what they load.
UNSAFE_MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
# They run text, or unpack what an archive says where it says.
UNSAFE_CALLS = {"eval", "exec", "compile", "system", "popen", "extract", "extractall", "mktemp"}
# NumPy may unpickle unless it is told not to.
NUMPY_LOADERS = {
    "np.load",
    "np.save",
    "np.savez",
    "np.savez_compressed",
    "np.lib.format.read_array",
    "np.lib.format.write_array",
    "numpy.load",
}


def _calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def _keywords(call: ast.Call) -> dict[str | None, str]:
    return {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_is_loaded_that_runs(path: Path) -> None:
    """No pickle in any of its forms, and no text that is run."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not UNSAFE_MODULES & {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module
            assert node.module.split(".")[0] not in UNSAFE_MODULES
    for call in _calls(path):
        name = ast.unparse(call.func)
        if not name.startswith("re."):
            assert name.split(".")[-1] not in UNSAFE_CALLS, ast.unparse(call)
        if name in NUMPY_LOADERS:
            assert _keywords(call).get("allow_pickle") == "False", ast.unparse(call)
        if name == "YAML":
            assert _keywords(call).get("typ") == "'safe'", ast.unparse(call)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_shell_is_started(path: Path) -> None:
    """A program is started with a list of arguments, which nothing reads once more."""
    for call in _calls(path):
        assert _keywords(call).get("shell", "False") == "False", ast.unparse(call)
        if ast.unparse(call.func) in ("subprocess.run", "subprocess.Popen"):
            assert not isinstance(call.args[0], ast.Constant | ast.JoinedStr), ast.unparse(call)


def test_dvc_keeps_its_memory_in_the_clone(completed_project: Project) -> None:
    """Not in a folder that other users of the machine can write to."""
    assert list((completed_project.path / ".dvc-state").rglob("*.db")) != []


@pytest.mark.slow
def test_no_secret_of_the_environment_is_written(project_copy: Project) -> None:
    """Neither a run nor any other file has what stands in the environment."""
    secret = secrets.token_hex()
    environment = dict.fromkeys(("AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "SOMETHING"), secret)
    outcome = project_copy.run("dvc", "repro", "--force", "track", **environment)
    assert outcome.status == 0, outcome.err
    assert secret not in outcome.out + outcome.err
    for folder in (project_copy.path, project_copy.home, project_copy.temporary):
        for path in folder.rglob("*"):
            if path.is_file() and ".venv" not in path.parts:
                assert secret.encode() not in path.read_bytes(), path


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port: int = unused.getsockname()[1]
    return port


@pytest.mark.slow
def test_the_pages_of_mlflow_are_for_this_machine(completed_project: Project) -> None:
    """Only loopback is listened to, and a page of another host's name, as a web page that a
    browser shows could ask for it, is refused.
    """
    port = _free_port()
    address = f"http://127.0.0.1:{port}/"
    with completed_project.start("python", "-m", "commands.ui", "--port", str(port)) as ui:
        try:
            assert ui.stdout
            assert ui.stdout.readline().startswith(f"charts: {address}")
            assert requests.get(address, timeout=30).status_code == 200
            for host in ("evil.example", f"evil.example:{port}", "10.0.0.1"):
                answer = requests.get(address, headers={"Host": host}, timeout=30)
                assert answer.status_code == 403
            listening = {
                connection.laddr.ip
                for process in psutil.Process(ui.pid).children(recursive=True)
                for connection in process.net_connections()
                if connection.status == psutil.CONN_LISTEN
            }
            assert {"127.0.0.1"} == listening
        finally:
            ui.terminate()
