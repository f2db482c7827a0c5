"""A bit that a disk has changed: noticed, named, and repaired."""

import os
import random
import re
import stat
from hashlib import md5
from pathlib import Path

import pytest

from tests.fixtures import RAW_FILES, Project

pytestmark = pytest.mark.fault
CACHED = (
    f"data/raw/{list(RAW_FILES)[-1]}",
    "data/flat/test.npz",
    "models/long/weights.npz",
    "costs/short.csv",
    "plots/predictions/long.csv",
)
FLIPS = 10


def _flip(path: Path, position: int | None = None) -> None:
    """Change one bit as a failing disk does: size, mode and times stay as they were."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if position is None else position] ^= 1
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(content)
    path.chmod(stat.S_IMODE(before.st_mode))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _in_cache(project: Project, name: str) -> Path:
    digest = md5((project.path / name).read_bytes(), usedforsecurity=False).hexdigest()
    return project.path / ".dvc/cache/files/md5" / digest[:2] / digest[2:]


def test_the_gate_reads_every_byte(project_copy: Project) -> None:
    """It names each file with a wrong bit, although DVC takes them for those that it knows."""
    for name in CACHED:
        _flip(project_copy.path / name)
    error = project_copy.run("python", "-m", "commands.gate").error()
    for name in CACHED:
        assert name in error or f"modified {Path(name).parent}" in error, name
    assert "`make repair`" in error
    _flip(project_copy.path / "metrics/accuracy.json")
    error = project_copy.run("python", "-m", "commands.gate").error()
    assert error.startswith("metrics/accuracy.json")


@pytest.mark.slow
def test_flipped_bits_are_repaired(project_copy: Project) -> None:
    """In files and in DVC's cache: `make repair` makes the same files as before."""
    names = (*CACHED, "metrics/accuracy.json", "dvc.lock")
    before = {name: (project_copy.path / name).read_bytes() for name in names}
    for name in CACHED:
        _flip(_in_cache(project_copy, name))
        _flip(project_copy.path / name)
    project_copy.do("make", "repair")
    assert {name: (project_copy.path / name).read_bytes() for name in names} == before


@pytest.mark.slow
def test_a_flipped_bit_in_dvc_lock_is_noticed(project_copy: Project) -> None:
    """The gate names what is affected, unless it is the size of a file, which has no effect."""
    lock = project_copy.path / "dvc.lock"
    content = lock.read_bytes()
    sizes = re.compile(rb"(size|nfiles): \d+")
    chance = random.Random(0)  # noqa: S311 - places, not secrets
    # The later stages are the report and tracking, which the gate does not check.
    for position in chance.sample(range(content.index(b"\n  report:")), FLIPS):
        _flip(lock, position)
        completed = project_copy.run("python", "-m", "commands.gate")
        if completed.status:
            assert "dvc.lock" in completed.error() or "`dvc repro`" in completed.error()
        else:
            assert sizes.sub(b"", lock.read_bytes()) == sizes.sub(b"", content), position
        lock.write_bytes(content)


@pytest.mark.slow
def test_files_of_dvc_that_are_cut_off_are_named(project_copy: Project) -> None:
    """`git checkout` and `make repair` bring them back."""
    lock = project_copy.path / "dvc.lock"
    content = lock.read_bytes()
    lock.write_bytes(content[:20])
    assert "dvc.lock" in project_copy.run("dvc", "repro").err
    assert "`git checkout dvc.lock`" in project_copy.run("python", "-m", "commands.gate").error()
    project_copy.do("git", "checkout", "dvc.lock")
    (project_copy.path / ".dvc/tmp/rwlock").write_bytes(b"")
    assert "rwlock" in project_copy.run("dvc", "repro").err
    project_copy.do("make", "repair")
    assert lock.read_bytes() == content
