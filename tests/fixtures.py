"""A small dataset, a server on loopback that can fail in every way, and a project to run."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ruamel.yaml import YAML

from common import command_line
from common.arrays import save_arrays
from common.atomic import sha256
from common.datasets import FILE_NAMES, DatasetSpec
from common.results import Result, save_results
from common.splits import SPLITS, Description, save_description
from stages.fetch import sources

# A shell has its background jobs ignore Ctrl+C, and what they start as well; tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
CLASSES = 4
SHAPE = (6, 5)
TRAIN_IMAGES, VALIDATION_IMAGES, TEST_IMAGES = 600, 100, 200
ITERATIONS = {"short": 30, "long": 120}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `make faults` asks for."""
    parser.addoption("--faults", action="store_true", help="count the faults that were injected")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Count the faults: those that a test says it has injected, or else one a test."""
    if not config.getoption("faults"):
        return
    counts = {
        outcome: sum(
            sum(number for name, number in report.user_properties if name == "faults") or 1
            for report in terminalreporter.getreports(outcome)
        )
        for outcome in ("passed", "failed", "error", "skipped")
    }
    injected = counts["passed"] + counts["failed"] + counts["error"]
    left_out = f", {counts['skipped']} left out" if counts["skipped"] else ""
    terminalreporter.write_line(f"{injected} injected, {counts['passed']} survived{left_out}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what is in folders of slow tests."""
    for item in items:
        if {"slow", "faults"} & set(item.path.relative_to(ROOT).parts):
            item.add_marker(pytest.mark.slow)


def idx(values: NDArray[np.uint8]) -> bytes:
    """Write an IDX file, with the standard library alone."""
    header = bytes([0, 0, 8, values.ndim])
    return header + b"".join(n.to_bytes(4, "big") for n in values.shape) + values.tobytes()


def _synthetic() -> dict[str, bytes]:
    """Draw noisy copies of one image a class: learnable, not at once, the same every time."""
    random = np.random.default_rng(0)
    prototypes = random.integers(0, 106, (CLASSES, *SHAPE))
    files = {}
    for part, images in (("train", TRAIN_IMAGES), ("t10k", TEST_IMAGES)):
        labels = random.integers(0, CLASSES, images)
        noise = random.integers(0, 150, (images, *SHAPE))
        files[f"{part}-images-idx3-ubyte"] = idx((prototypes[labels] + noise).astype(np.uint8))
        files[f"{part}-labels-idx1-ubyte"] = idx(labels.astype(np.uint8))
    return files


RAW_FILES = _synthetic()


def entry(*sources: dict[str, Any] | str) -> dict[str, Any]:
    """Describe the synthetic dataset as datasets.yaml does; a string is a source's address."""
    return {
        "title": "Synthetic images",
        "homepage": "https://example.org/",
        "licence": "CC0",
        "citation": "Nobody.",
        "classes": [str(label) for label in range(CLASSES)],
        "image_shape": list(SHAPE),
        "files": {
            name: {"bytes": len(RAW_FILES[name]), "sha256": sha256(RAW_FILES[name])}
            for name in FILE_NAMES
        },
        "sources": [{"url": source} if isinstance(source, str) else source for source in sources],
    }


def dataset(*sources: dict[str, Any] | str) -> DatasetSpec:
    """Give the synthetic dataset with these sources."""
    return DatasetSpec.model_validate(entry(*sources))


def yaml() -> YAML:
    """Give what reads and writes YAML as DVC does; one document each."""
    made = YAML(typ="safe", pure=True)
    made.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    return made


def synthetic_params() -> Any:
    """Give the project's params.yaml with the synthetic dataset and short runs."""
    params = yaml().load(ROOT / "params.yaml")
    params["dataset"] = "synthetic"
    params["flatten"]["validation_images"] = VALIDATION_IMAGES
    params["runs"] = {
        name: {"iterations": iterations, "min_test_accuracy": 0.0}
        for name, iterations in ITERATIONS.items()
    }
    return params


@dataclass(frozen=True)
class Response:
    """What the server says instead of a file.

    Attributes
    ----------
    status, headers, body
        As they are sent. Content-Length is that of the body unless it is in `headers`.
    cut
        Close the connection after so many bytes of the body.
    stall
        Send nothing more after so many bytes of the body, and keep the connection open.
    trickle
        Send one byte of the body at a time, without end.
    reset
        Break the connection off as a crash does, before anything is said.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    stall: int | None = None
    trickle: bool = False
    reset: bool = False


class Server(ThreadingHTTPServer):
    """Serves `files` by their paths, plain and with .gz, and `answers` instead.

    Attributes
    ----------
    files
        What is at each path.
    answers
        What is answered at a path, one request after the other; the last is repeated. None is
        the file.
    requests
        The paths that were asked for, in this order.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.released = threading.Event()
        self.reset()

    def reset(self) -> None:
        """Serve the synthetic dataset under /data/, and nothing else."""
        self.files = {f"/data/{name}": content for name, content in RAW_FILES.items()}
        self.answers: dict[str, list[Response | None]] = {}
        self.requests: list[str] = []

    def answer(self, path: str) -> Response:
        """Choose what to say."""
        self.requests.append(path)
        planned = self.answers.get(path)
        config = (planned.pop(0) if len(planned) > 1 else planned[0]) if planned else None
        if config:
            return config
        if path in self.files:
            return Response(body=self.files[path])
        if path.removesuffix(".gz") in self.files:
            return Response(body=gzip.compress(self.files[path.removesuffix(".gz")]))
        return Response(404, b"nothing here")

    def handle_error(self, *_: object) -> None:
        """Say nothing where a client has gone."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        answer = self.server.answer(self.path)
        if answer.reset:
            # With nothing to linger for, closing sends RST.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(answer.status)
        for name, value in ({"Content-Length": str(len(answer.body))} | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if answer.trickle:
            while not self.server.released.wait(0.01):
                self.wfile.write(b"\0")
        elif answer.stall is not None:
            self.wfile.write(answer.body[: answer.stall])
            self.wfile.flush()
            self.server.released.wait()
        else:
            self.wfile.write(answer.body[: answer.cut])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def running_server() -> Iterator[Server]:
    """Give the one server of all tests; a test takes `server`, which is this one reset."""
    server = Server()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def server(running_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Give the server, fresh; no proxy stands before it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    running_server.reset()
    yield running_server
    running_server.reset()


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a fraction of a second for what takes many in real life."""
    monkeypatch.setattr(sources, "TIMEOUT_SECONDS", (0.3, 0.3))
    monkeypatch.setattr(sources, "DEADLINE_SECONDS", 0.3)
    monkeypatch.setattr(sources, "LONGEST_WAIT_SECONDS", 0)
    monkeypatch.setattr(sources, "BACKOFF_SECONDS", 0)


@dataclass(frozen=True)
class CompletedRun:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str

    def error(self) -> str:
        """Give the one line that a command may end with, without the word before it."""
        assert self.err.startswith("error: "), self.err
        assert (self.err.count("\n"), self.err[-1]) == (1, "\n"), self.err
        return self.err.removeprefix("error: ").rstrip("\n")


class Workspace:
    """A working directory with settings, for commands that run inside the test's process."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self.params = synthetic_params()
        self.datasets = {"synthetic": entry("https://example.org/{file}")}
        self._capsys = capsys

    def write(self) -> None:
        """Put the settings on disk as they are now."""
        for name, document in (("params.yaml", self.params), ("datasets.yaml", self.datasets)):
            with (self.path / name).open("w", encoding="utf-8") as file:
                yaml().dump(document, file)

    def put(self, where: str, contents: dict[str, bytes]) -> Path:
        """Put files into a folder of it."""
        (self.path / where).mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (self.path / where / name).write_bytes(content)
        return self.path / where

    def run(self, stage: str, *arguments: object) -> CompletedRun:
        """Run a command as `python -m stages.STAGE` does, or with a dot as `python -m` does."""
        module = stage if "." in stage else f"stages.{stage}"
        main: Callable[[], None] = importlib.import_module(module).main
        with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as left:
            patch.setattr(sys, "argv", [stage, *map(str, arguments)])
            command_line.run(main)
        printed = self._capsys.readouterr()
        return CompletedRun(int(left.value.code or 0), printed.out, printed.err)


@pytest.fixture
def workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Workspace:
    """Give a working directory with valid settings for the synthetic dataset."""
    monkeypatch.chdir(tmp_path)
    made = Workspace(tmp_path, capsys)
    made.write()
    return made


@dataclass(frozen=True)
class Project:
    """A clone of the repository with the synthetic dataset, and folders of its own for the rest.

    Attributes
    ----------
    path
        The clone.
    home, temporary
        What programs run in it take for the user's home and for /tmp; empty at first.
    """

    path: Path
    home: Path
    temporary: Path

    def start(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        """Start a program of .venv, or git, as the first of a process group."""
        program = command[0] if command[0] == "git" else f"{self.path}/.venv/bin/{command[0]}"
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DVC_", "GIT_", "MLFLOW_", "PIP_", "PYTHON", "XDG_"))
        }
        return subprocess.Popen(
            [program, *command[1:]],
            cwd=self.path,
            env=inherited
            | {"HOME": str(self.home), "TMPDIR": str(self.temporary), "NO_PROXY": "127.0.0.1"}
            | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str, **environment: str) -> CompletedRun:
        """Run a program of .venv, or git, and wait for it."""
        with self.start(*command, **environment) as process:
            out, err = process.communicate()
        return CompletedRun(process.returncode, out, err)

    def do(self, *command: str) -> str:
        """Run what must succeed, and give what it printed."""
        outcome = self.run(*command)
        assert outcome.status == 0, outcome.out + outcome.err
        return outcome.out

    def set_up(self) -> None:
        """Do what `make` does first, with the packages that are installed already."""
        environment = self.path / ".venv"
        if not environment.is_symlink():
            environment.symlink_to(ROOT / ".venv")
        state = self.path / ".dvc-state"
        self.do("dvc", "config", "--local", "core.site_cache_dir", str(state))

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a file as in an editor; `old` must stand in it once."""
        content = (self.path / name).read_text("utf-8")
        assert content.count(old) == 1
        (self.path / name).write_text(content.replace(old, new), "utf-8")


def project_in(path: Path) -> Project:
    """Give the project in a workspace, with the folders beside it made."""
    project = Project(path / "project", path / "home", path / "temporary")
    project.home.mkdir()
    project.temporary.mkdir()
    return project


def make_project(path: Path, source: str) -> Project:
    """Clone the repository as it is in the working directory, for the synthetic dataset.

    Parameters
    ----------
    path
        Where; an empty workspace.
    source
        The address that has the dataset.
    """
    project = project_in(path)
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if name != "dvc.lock" and (ROOT / name).exists():
            target = project.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    yaml().dump(synthetic_params(), project.path / "params.yaml")
    yaml().dump({"synthetic": entry(source)}, project.path / "datasets.yaml")
    project.do("git", "init", "--quiet")
    project.do("git", "config", "user.name", "Test")
    project.do("git", "config", "user.email", "test@example.org")
    project.do("git", "add", "--all")
    project.do("git", "commit", "--quiet", "--message", "The project, for a synthetic dataset")
    project.set_up()
    return project


@pytest.fixture
def project(tmp_path: Path, server: Server) -> Project:
    """Give a project in which nothing has run yet."""
    return make_project(tmp_path, f"{server.url}/data/{{file}}.gz")


DESCRIPTION = Description(
    classes=tuple(str(label) for label in range(CLASSES)),
    example_shape=SHAPE,
    feature_shape=(SHAPE[0] * SHAPE[1],),
    feature_dtype="uint8",
    examples={
        "train": TRAIN_IMAGES - VALIDATION_IMAGES,
        "validation": VALIDATION_IMAGES,
        "test": TEST_IMAGES,
    },
)
WIDTHS = (SHAPE[0] * SHAPE[1], 8, CLASSES)


def write_fake_results(
    path: Path,
    *,
    iterations: Mapping[str, int] = MappingProxyType(ITERATIONS),
    seed: int = 1,
    accuracy: Mapping[str, tuple[float, float]] = MappingProxyType({}),
    data: str = "",
    pictures: bool = True,
) -> None:
    """Write what `dvc repro` leaves, in no time: nothing is trained, but dvc.lock speaks of it.

    Parameters
    ----------
    path
        The repository.
    iterations
        The runs.
    seed
        Every weight and cost follows from it.
    accuracy
        The validation and the test accuracy of a run, where they matter.
    data
        What the arrays follow from.
    pictures
        Whether there are plots.
    """
    random = np.random.default_rng(seed)
    save_description(path / "data/flat/description.json", DESCRIPTION)
    description = (path / "data/flat/description.json").read_bytes()
    stages: dict[str, Any] = {
        "flatten": _locked(
            {"dataset": "synthetic", "flatten": {"validation_images": VALIDATION_IMAGES}},
            {f"data/flat/{part}.npz": f"{part}{data}".encode() for part in SPLITS}
            | {"data/flat/description.json": description},
        )
    }
    measured, per_class = {}, "run,class,precision,recall,support\n"
    for run, count in iterations.items():
        shapes = {
            f"{kind}{layer}": shape
            for layer, (inputs, units) in enumerate(pairwise(WIDTHS), 1)
            for kind, shape in (("W", (inputs, units)), ("b", (units,)))
        }
        weights = {name: random.normal(size=size).astype("f4") for name, size in shapes.items()}
        save_arrays(path / f"models/{run}/weights.npz", weights)
        costs = (2.3 / np.sqrt(1 + np.arange(count)) + random.random(count) / 10).astype("f4")
        rows = "".join(f"{row},{cost!s}\n" for row, cost in enumerate(costs))
        (path / "costs").mkdir(exist_ok=True)
        (path / f"costs/{run}.csv").write_text(f"iteration,cost\n{rows}")
        validation, test = accuracy.get(run, (1 - 1 / count, 1 - 2 / count))
        measured[run] = Result(
            iterations=count, train=1.0, validation=validation, test=test, min_test_accuracy=0.5
        )
        for label in range(CLASSES):
            per_class += f"{run},{label},,{'' if label == CLASSES - 1 else 1 - label / 10},50\n"
        made = (f"models/{run}/weights.npz", f"costs/{run}.csv")
        stages[f"train@{run}"] = _locked(
            {"model": {"hidden_units": [8]}, "train": {"learning_rate": 0.001, "seed": seed}},
            {name: (path / name).read_bytes() for name in made},
        )
    save_results(path / "metrics/accuracy.json", measured)
    (path / "metrics/per_class.csv").write_text(per_class)
    made = ("metrics/accuracy.json", "metrics/per_class.csv")
    stages["evaluate"] = _locked({}, {name: (path / name).read_bytes() for name in made})
    with (path / "dvc.lock").open("w", encoding="utf-8") as file:
        yaml().dump({"schema": "2.0", "stages": stages}, file)
    for name in ("cost.png", *(f"{run}/confusion.png" for run in iterations)) if pictures else ():
        (path / "plots/figures" / name).parent.mkdir(parents=True, exist_ok=True)
        (path / "plots/figures" / name).write_bytes(f"a picture: {name}".encode())


def _locked(params: dict[str, Any], outs: dict[str, bytes]) -> dict[str, Any]:
    digests = [
        {"path": name, "md5": hashlib.md5(made, usedforsecurity=False).hexdigest()}
        for name, made in outs.items()
    ]
    return {"cmd": "none", "params": {"params.yaml": params}, "outs": digests}


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the database of a new MLflow store, which takes seconds to make."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    made = subprocess.run(
        [sys.executable, "-c", "import mlflow; mlflow.MlflowClient().search_experiments()"],
        env=os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{path}"},
        cwd=path.parent,
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr.decode()
    return path


@pytest.fixture
def completed_workspace(
    workspace: Workspace, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> Workspace:
    """Give a working directory with the fabricated result of both runs, and a new MLflow store."""
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME"):
        # Set and then deleted, so that what MLflow sets is undone as well.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    shutil.copy(empty_store, workspace.path)
    write_fake_results(workspace.path)
    return workspace


@pytest.fixture(scope="session")
def completed_project(running_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Give a project in which everything has run once; tests leave it as it is."""
    running_server.reset()
    source = f"{running_server.url}/data/{{file}}.gz"
    project = make_project(tmp_path_factory.mktemp("done"), source)
    project.do("dvc", "repro")
    return project


@pytest.fixture
def copy(completed_project: Project, server: Server, tmp_path: Path) -> Project:
    """Give a copy of the finished project, to change it."""
    assert server.url in (completed_project.path / "datasets.yaml").read_text()
    # The MLflow store knows where it is; it is a view, and not copied.
    view = shutil.ignore_patterns("mlflow.db*", "mlartifacts")
    shutil.copytree(completed_project.path, tmp_path / "project", symlinks=True, ignore=view)
    project = project_in(tmp_path)
    project.set_up()
    return project


@pytest.fixture
def stalling_server() -> Iterator[Server]:
    """Give a server that sends a part of the second file, and waits until it is released."""
    server = Server()
    server.answers[f"/data/{FILE_NAMES[1]}"] = [
        Response(body=RAW_FILES[FILE_NAMES[1]], stall=9),
        None,
    ]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


def start_fetching(project: Project, server: Server) -> subprocess.Popen[str]:
    """Start `dvc repro`, and wait until its first stage waits for the rest of a file."""
    dvc = project.start("dvc", "repro", "fetch")
    while f"/data/{FILE_NAMES[1]}" not in server.requests:
        assert dvc.poll() is None
        time.sleep(0.02)
    return dvc
