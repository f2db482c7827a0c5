"""A bit that a disk has changed: noticed, named, and repaired."""

import random
import re
from hashlib import md5
from pathlib import Path

import pytest

from tests.fixtures import RAW_FILES, Project, flip_bit

pytestmark = [pytest.mark.fault, pytest.mark.slow]
CACHED = (
    f"data/raw/{list(RAW_FILES)[-1]}",
    "data/flat/test.npz",
    "models/long/weights.npz",
    "costs/short.csv",
    "plots/predictions/long.csv",
)
FLIPS = 10


def _in_cache(project: Project, name: str) -> Path:
    digest = md5((project.path / name).read_bytes(), usedforsecurity=False).hexdigest()
    return project.path / ".dvc/cache/files/md5" / digest[:2] / digest[2:]


def test_flipped_bits_are_repaired(project_copy: Project) -> None:
    """In files and in DVC's cache: `make repair` makes the same files as before."""
    names = (*CACHED, "metrics/accuracy.json", "dvc.lock")
    before = {name: (project_copy.path / name).read_bytes() for name in names}
    for name in CACHED:
        flip_bit(_in_cache(project_copy, name))
        flip_bit(project_copy.path / name)
    project_copy.do("make", "repair")
    assert {name: (project_copy.path / name).read_bytes() for name in names} == before


def test_a_flipped_bit_in_dvc_lock_is_noticed(project_copy: Project) -> None:
    """The gate names what is affected, unless it is the size of a file, which has no effect."""
    lock = project_copy.path / "dvc.lock"
    content = lock.read_bytes()
    sizes = re.compile(rb"(size|nfiles): \d+")
    chance = random.Random(0)  # noqa: S311 - places, not secrets
    # The later stages are the report and tracking, which the gate does not check.
    for position in chance.sample(range(content.index(b"\n  report:")), FLIPS):
        flip_bit(lock, position)
        completed = project_copy.run("python", "-m", "commands.gate")
        if completed.status:
            assert "dvc.lock" in completed.error() or "`dvc repro`" in completed.error()
        else:
            assert sizes.sub(b"", lock.read_bytes()) == sizes.sub(b"", content), position
        lock.write_bytes(content)


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
