"""A disk that is full, or cannot be written to: an error, and the earlier result stays."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.project import make_project
from tests.workspace import RAW_FILES, Workspace

pytestmark = pytest.mark.fault
OLD = b"an earlier result"
# Root may write anywhere, but without this capability it is like any other user.
WITHOUT_PRIVILEGE = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small disk in memory."""
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(path)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"needs to mount a file system: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def _fill(disk: Path) -> Path:
    """Write until nothing more can be written."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


@pytest.mark.parametrize("reason", ["No space left on device", "Permission denied"])
def test_a_stage_names_what_it_cannot_write(workspace: Workspace, disk: Path, reason: str) -> None:
    """And the system's reason; nothing has changed."""
    workspace.put("raw", RAW_FILES)
    (disk / "train.npz").write_bytes(OLD)
    if reason == "Permission denied":
        disk.chmod(0o555)
    else:
        _fill(disk)
    before = sorted(disk.iterdir())
    command = (*WITHOUT_PRIVILEGE, sys.executable, "-m", "stages.flatten", "raw", "disk")
    completed = workspace.run_apart(*command)
    assert completed.status == 1
    assert "train.npz" in completed.error()
    assert completed.error().endswith(reason)
    assert ((disk / "train.npz").read_bytes(), sorted(disk.iterdir())) == (OLD, before)


@pytest.mark.slow
def test_a_repro_on_a_disk_that_fills_up(disk: Path) -> None:
    """It fails with the reason; with more space, the next one continues from there."""
    project = make_project(disk)
    project.do("dvc", "repro", "flatten")
    filler = _fill(disk)
    completed = project.run("dvc", "repro", "evaluate")
    assert completed.status != 0
    # Of a stage, or of the databases of DVC.
    reasons = ("No space left on device", "disk I/O error", "disk is full")
    assert any(reason in completed.err for reason in reasons), completed.err
    assert "Traceback" not in completed.err
    filler.unlink()
    assert "Stage 'flatten' didn't change, skipping" in project.do("dvc", "repro", "evaluate")
