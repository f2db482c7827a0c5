"""A pipeline that is caught in the middle of a download."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fixtures import RAW_FILES, Project, Response, Server, make_project

FIRST, SECOND, *_ = RAW_FILES


@dataclass(frozen=True)
class Download:
    """`dvc repro fetch`, which waits for the rest of the second file."""

    project: Project
    server: Server
    dvc: subprocess.Popen[str]


@pytest.fixture
def download(server: Server, tmp_path: Path) -> Iterator[Download]:
    """Start a download; the server sends the rest of the file when it is released."""
    server.answers[f"/data/{SECOND}"] = [Response(body=RAW_FILES[SECOND], stall=9), None]
    project = make_project(tmp_path, f"{server.url}/data/{{file}}")
    with project.start("dvc", "repro", "fetch") as dvc:
        while f"/data/{SECOND}" not in server.requests:
            assert dvc.poll() is None
            time.sleep(0.02)
        yield Download(project, server, dvc)
        server.released.set()
