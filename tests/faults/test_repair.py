"""`make repair` where DVC's cache is in another folder."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest

from tests.fixtures import Project

WEIGHTS = "models/long/weights.npz"


@pytest.mark.fault
@pytest.mark.slow
def test_a_damaged_cache_elsewhere_is_repaired(project_copy: Project, tmp_path: Path) -> None:
    """Nobody else can write into DVC's state afterwards, even without a umask."""
    project = dataclasses.replace(project_copy, umask=0)
    cache = (project.path / ".dvc/cache").rename(tmp_path / "cache")
    project.do("dvc", "config", "--local", "cache.dir", str(cache))
    content = (project.path / WEIGHTS).read_bytes()
    (cached,) = (path for path in cache.glob("files/md5/*/*") if path.read_bytes() == content)
    cached.chmod(0o644)
    cached.write_bytes(content[:-1] + b"x")
    cached.chmod(0o444)
    (project.path / WEIGHTS).unlink()
    project.do("dvc", "checkout")
    assert "models" in project.run("python", "-m", "commands.gate").error()
    project.do("make", "repair")
    assert (project.path / WEIGHTS).read_bytes() == content
    assert cached.read_bytes() == content
    assert stat.S_IMODE((project.path / ".dvc-state").stat().st_mode) == 0o700
