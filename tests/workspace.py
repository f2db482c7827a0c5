"""What tests of one process use: a working directory, made-up results, and a server."""

import gzip
import hashlib
import importlib
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import yaml

from common.arrays import save_arrays
from common.results import Result, TrainingSummary, save_results, save_summary
from common.splits import SPLITS
from support import command_line
from support.files import atomic_write
from support.yaml_file import read_yaml
from tests.synthetic import DESCRIPTION, make_features, make_raw_files
from tests.untrained import save_untrained_model

ROOT = Path(__file__).parents[1]
# The training makes calls of 100; each other length of a call would be compiled again.
ITERATIONS = {"short": 20, "long": 200}
# A format may have one file only, but what fetches the files is tested with several.
RAW_FILES = make_raw_files() | {"README.txt": b"This file is not read by flatten.\n" * 9}
LABELS = range(len(DESCRIPTION.classes))
Accuracies = Mapping[str, tuple[float, float]]


def entry(*sources: dict[str, Any] | str) -> dict[str, Any]:
    """Return the dataset as in datasets.yaml; a string is the URL or path of a source."""
    return {
        "title": "Synthetic examples",
        "homepage": "https://example.org/",
        "licence": "CC0",
        "citation": "Nobody.",
        "caveats": ["They are synthetic."],
        "classes": list(DESCRIPTION.classes),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in RAW_FILES.items()},
        "sources": [{"url": source} if isinstance(source, str) else source for source in sources],
    }


def synthetic_params() -> dict[str, Any]:
    """Return the project's params.yaml with the synthetic dataset and short runs."""
    params = read_yaml(ROOT / "params.yaml")
    params["dataset"] = "synthetic"
    params["flatten"]["validation_examples"] = DESCRIPTION.examples["validation"]
    params["runs"] = {
        name: {"iterations": iterations, "min_test_accuracy": 0.0}
        for name, iterations in ITERATIONS.items()
    }
    return params


def write_yaml(path: Path, document: object) -> None:
    """Write a YAML file, with the names in their order."""
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8")


@dataclass(frozen=True)
class CompletedRun:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str

    def error(self) -> str:
        """Return the one line that a command may end with, without the word ``error:``."""
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

    def set(self, place: str, value: Any) -> None:
        """Change a setting, such as ``train.seed``, and write the settings."""
        section = self.params
        *parents, name = place.split(".")
        for parent in parents:
            section = section[parent]
        section[name] = value
        self.write()

    def write(self) -> None:
        """Write the settings as they are now."""
        write_yaml(self.path / "params.yaml", self.params)
        write_yaml(self.path / "datasets.yaml", self.datasets)

    def put(self, where: str, contents: dict[str, bytes]) -> Path:
        """Put files into a folder."""
        (self.path / where).mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (self.path / where / name).write_bytes(content)
        return self.path / where

    def run(self, command: str, *arguments: object) -> CompletedRun:
        """Write the settings, and run a stage, such as ``train``, or ``commands.gate``."""
        self.write()
        name = command if "." in command else f"stages.{command}.__main__"
        main: Callable[[], None] = importlib.import_module(name).main
        with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as exit_:
            patch.setattr(sys, "argv", [name, *map(str, arguments)])
            command_line.run(main)
        printed = self._capsys.readouterr()
        return CompletedRun(int(exit_.value.code or 0), printed.out, printed.err)

    def run_apart(self, *command: str) -> CompletedRun:
        """Write the settings, and run a command in a process of its own."""
        self.write()
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.run(
            command, cwd=self.path, env=environment, capture_output=True, text=True, check=False
        )
        return CompletedRun(process.returncode, process.stdout, process.stderr)


def write_fake_results(
    path: Path,
    *,
    iterations: Mapping[str, int] = MappingProxyType(ITERATIONS),
    seed: int = 1,
    accuracy: Accuracies = MappingProxyType({}),
    threshold: float = 0.5,
) -> None:
    """Write what `dvc repro` leaves; `accuracy` has those of validation and test, by run."""
    fetch = _locked(path, {"dataset": synthetic_params()["dataset"]})
    stages = {"fetch": fetch, "flatten": _flatten(path)}
    for run, count in iterations.items():
        stages[f"train@{run}"] = _train(path, run, count, seed)
    stages["evaluate"] = _evaluate(path, iterations, accuracy, threshold)
    write_yaml(path / "dvc.lock", {"schema": "2.0", "stages": stages})


def _flatten(path: Path) -> dict[str, Any]:
    random = np.random.default_rng(0)
    for name, count in DESCRIPTION.examples.items():
        labels = (np.arange(count) % len(LABELS)).astype(np.uint8)
        features = make_features(count, random)
        save_arrays(path / f"data/flat/{name}.npz", {"features": features, "labels": labels})
    (path / "data/flat/description.json").write_text(DESCRIPTION.model_dump_json())
    return _locked(path, {"flatten": synthetic_params()["flatten"]}, "data/flat")


def _train(path: Path, run: str, count: int, seed: int) -> dict[str, Any]:
    save_untrained_model(path / f"models/{run}", seed + count)
    summary = TrainingSummary(iterations=count, description="The costs are made up.")
    save_summary(path / f"models/{run}", summary)
    costs = 2.3 / np.sqrt(1 + np.arange(count)) + np.random.default_rng(seed).random(count) / 10
    rows = [f"{iteration},{cost}\n" for iteration, cost in enumerate(costs.astype(np.float32))]
    atomic_write(path / f"costs/{run}.csv", "".join(["iteration,cost\n", *rows]).encode())
    curve = f"iteration,name,value\n{count},validation accuracy,{1 - 1 / count}\n"
    atomic_write(path / f"curves/{run}.csv", curve.encode())
    params = {"model": synthetic_params()["model"], "train": {"seed": seed}}
    return _locked(path, params, f"models/{run}", f"costs/{run}.csv", f"curves/{run}.csv")


def _evaluate(
    path: Path, iterations: Mapping[str, int], accuracy: Accuracies, threshold: float
) -> dict[str, Any]:
    """Write results in which the last class has no recall, and none has a precision."""
    results = {}
    per_class = "run,class,precision,recall,support\n"
    for run, count in iterations.items():
        measured = (1.0, *accuracy.get(run, (1 - 1 / count, 1 - 2 / count)))
        of_splits = dict(zip(SPLITS, measured, strict=True))
        results[run] = Result(iterations=count, min_test_accuracy=threshold, **of_splits)
        for label in LABELS:
            per_class += f"{run},{label},,{'' if label == LABELS[-1] else 1 - label / count},50\n"
    save_results(path / "metrics/accuracy.json", results)
    atomic_write(path / "metrics/per_class.csv", per_class.encode())
    return _locked(path, {}, "metrics/accuracy.json", "metrics/per_class.csv")


def _locked(path: Path, params: dict[str, Any], *outs: str) -> dict[str, Any]:
    """Return what dvc.lock says about a stage and the files it has written."""
    entries = []
    for name in outs:
        files = sorted((path / name).glob("*")) or [path / name]
        content = b"".join(file.read_bytes() for file in files)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        entries.append({"path": name, "hash": "md5", "md5": md5})
    return {"cmd": "none", "params": {"params.yaml": params}, "outs": entries}


@dataclass(frozen=True)
class Response:
    """What is sent instead of a file.

    After `stall` bytes, silence until the server's `released` is set; with `reset`, no answer.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stall: int | None = None
    reset: bool = False


class Server(ThreadingHTTPServer):
    """A server on loopback that can fail in every way; it has `answers` or `files`, by path."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.released = threading.Event()
        self.files = {f"/data/{name}": content for name, content in RAW_FILES.items()}
        self.answers: dict[str, Response] = {}
        self.requests: list[str] = []

    def answer(self, path: str) -> Response:
        self.requests.append(path)
        if path in self.answers:
            return self.answers[path]
        if path in self.files:
            return Response(body=self.files[path])
        if path.removesuffix(".gz") in self.files:
            return Response(body=gzip.compress(self.files[path.removesuffix(".gz")]))
        return Response(404, b"nothing here")

    def handle_error(self, *_: object) -> None:
        """Print nothing if a client has gone."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        response = self.server.answer(self.path)
        if response.reset:
            # With nothing to linger for, closing sends RST.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(response.status)
        for name, value in ({"Content-Length": str(len(response.body))} | response.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body[: response.stall])
        if response.stall is not None:
            self.wfile.flush()
            self.server.released.wait()
            self.wfile.write(response.body[response.stall :])

    def log_message(self, *_: object) -> None:
        pass
