"""A disk that is full, or may not be written to: an error, and what was there before."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures import (
    CLASSES,
    RAW_FILES,
    ROOT,
    SHAPE,
    Workspace,
    CompletedRun,
    Server,
    entry,
    make_project,
)

from common import arrays

OLD = b"an earlier result"
# A stage, its arguments, and where it writes first.
STAGES = (
    ("fetch", ("out",), "train-images-idx3-ubyte"),
    ("flatten", ("raw", "out"), "train.npz"),
    ("evaluate", ("flat", "models", "costs", "out", "out"), "short.csv"),
)


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    """Give a folder in which every one of the stages can run."""
    raw = workspace.put("raw", RAW_FILES)
    workspace.datasets["synthetic"] = entry(f"{raw.as_uri()}/{{file}}")
    workspace.write()
    assert workspace.run("flatten", "raw", "flat").status == 0
    pixels = SHAPE[0] * SHAPE[1]
    weights = {
        "W1": np.ones((pixels, CLASSES), np.float32),
        "b1": np.zeros(CLASSES, np.float32),
    }
    for run in workspace.params["runs"]:
        arrays.save(Path("models") / run / "weights.npz", weights)
    (workspace.path / "out").mkdir()
    return workspace


def _mount(*arguments: str) -> None:
    mounted = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"needs to mount a file system: {mounted.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a small disk of its own, in memory."""
    path = tmp_path / "out"
    path.mkdir(exist_ok=True)
    _mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path))
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def _fill(disk: Path) -> Path:
    """Write until nothing more can be written."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


def _there(folder: Path) -> set[str]:
    return {path.name for path in workspace.iterdir()}


@pytest.mark.parametrize(("stage", "arguments", "first"), STAGES)
@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_a_disk_that_takes_nothing(
    ready: Workspace, disk: Path, trouble: str, stage: str, arguments: tuple[str, ...], first: str
) -> None:
    """The error names the file and the system's reason; the earlier result is as it was."""
    (disk / first).write_bytes(OLD)
    filler = _fill(disk)
    if trouble == "read-only":
        filler.unlink()
        _mount("-o", "remount,ro", str(disk))
    before = _there(disk)
    outcome = ready.run(stage, *arguments)
    reason = {"full": "No space left on device", "read-only": "Read-only file system"}[trouble]
    assert outcome.status == 1
    assert f"out/{first}" in outcome.error().replace(f".{first}", first)
    assert reason in outcome.error()
    assert (OLD, before) == ((disk / first).read_bytes(), _there(disk))


# Root may write anywhere, but without this capability it is as any other user.
POWERLESS = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()


@pytest.mark.parametrize(("stage", "arguments", "first"), STAGES)
def test_a_folder_without_permission(
    ready: Workspace, stage: str, arguments: tuple[str, ...], first: str
) -> None:
    """The error names the file that may not be written; the earlier result is as it was."""
    out = ready.path / "out"
    (out / first).write_bytes(OLD)
    out.chmod(0o555)
    done = subprocess.run(
        [*POWERLESS, sys.executable, "-m", f"stages.{stage}", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    outcome = CompletedRun(done.returncode, done.stdout, done.stderr)
    out.chmod(0o755)
    assert outcome.status == 1
    assert f"out/.{first}" in outcome.error()
    assert "Permission denied" in outcome.error()
    assert (OLD, {first}) == ((out / first).read_bytes(), _there(out))


@pytest.mark.slow
def test_repro_on_a_disk_that_fills_up(server: Server, tmp_path: Path) -> None:
    """It fails with the reason; with more space the next one goes on from there."""
    disk = tmp_path / "disk"
    disk.mkdir()
    _mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk))
    try:
        project = make_project(disk, f"{server.url}/data/{{file}}")
        project.do("dvc", "repro", "flatten")
        filler = _fill(disk)
        outcome = project.run("dvc", "repro")
        assert outcome.status != 0
        # Of a stage, or of the databases in which DVC and MLflow keep what they know.
        reasons = ("No space left on device", "disk I/O error", "disk is full")
        assert any(reason in outcome.err for reason in reasons), outcome.err
        assert "Traceback" not in outcome.err
        filler.unlink()
        out = project.do("dvc", "repro")
        assert "Stage 'flatten' didn't change, skipping" in out
        assert project.do("dvc", "status", "dvc.yaml") == "Data and pipelines are up to date.\n"
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
