"""A byte that a disk has changed: noticed, named, and put right."""

from __future__ import annotations

import os
import random
import stat
import subprocess
from collections.abc import Callable
from hashlib import md5
from pathlib import Path

import pytest
from tests.fixtures import Project, yaml

# One of each kind that the accuracies are made from, or with them.
KINDS = (
    "data/raw/train-images-idx3-ubyte",
    "data/raw/t10k-labels-idx1-ubyte",
    "data/flat/train.npz",
    "data/flat/test.npz",
    "models/long/weights.npz",
    "costs/short.csv",
    "metrics/accuracy.json",
    "plots/predictions/long.csv",
)
CACHED = tuple(name for name in KINDS if not name.startswith("metrics"))
FLIPS = 25


def _flip(path: Path, position: int | None = None) -> None:
    """Change one bit as a failing disk does: size, mode and times stay as they were."""
    was = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if position is None else position] ^= 1
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(content)
    path.chmod(stat.S_IMODE(was.st_mode))
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def _in_cache(project: Project, name: str) -> Path:
    """Give the file in DVC's cache that a file of the working directory was copied from."""
    digest = md5((project.path / name).read_bytes(), usedforsecurity=False).hexdigest()
    return project.path / ".dvc/cache/files/md5" / digest[:2] / digest[2:]


def _contents(project: Project) -> dict[str, bytes]:
    return {name: (project.path / name).read_bytes() for name in (*KINDS, "dvc.lock")}


def _make(project: Project, target: str) -> None:
    """Run a target of the Makefile with the environment as it is."""
    command = ["make", "--old-file=.venv/installed", target]
    done = subprocess.run(command, cwd=project.path, capture_output=True, text=True, check=False)
    assert completed_project.returncode == 0, completed_project.stdout + completed_project.stderr


@pytest.mark.parametrize("name", KINDS)
def test_a_flipped_bit_is_noticed(completed_project: Project, name: str) -> None:
    """The gate reads every byte, though DVC sees a file that it knows, and names the file."""
    path = completed_project.path / name
    _flip(path)
    try:
        outcome = completed_project.run("python", "-m", "commands.gate")
    finally:
        _flip(path)
    assert outcome.status != 0
    assert any(named in outcome.error() for named in (name, f"{Path(name).parent}"))
    assert "`make repair`" in outcome.error() or "`dvc repro`" in outcome.error()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["the working directory", "DVC's cache", "both"])
def test_flipped_bits_are_repaired(project_copy: Project, where: str) -> None:
    """`make repair` makes every damaged file anew, the same as before."""
    before = _contents(project_copy)
    for name in CACHED if where == "DVC's cache" else KINDS:
        cached, path = _in_cache(project_copy, name), project_copy.path / name
        if where != "the working directory" and name in CACHED:
            _flip(cached)
        if where == "DVC's cache":
            path.unlink()
        else:
            _flip(path)
    if where == "DVC's cache":
        # As it is documented to do: without a look at what it restores.
        project_copy.do("dvc", "checkout")
        assert before != _contents(project_copy)
    assert project_copy.run("python", "-m", "commands.gate").status != 0
    _make(project_copy, "repair")
    assert before == _contents(project_copy)
    project_copy.do("python", "-m", "commands.gate")


@pytest.mark.slow
def test_a_flipped_bit_in_the_lock_file(
    completed_project: Project, record_property: Callable[[str, object], None]
) -> None:
    """The gate names the file or the stage that it is wrong for, or nothing depends on it."""
    lock = completed_project.path / "dvc.lock"
    content = lock.read_bytes()
    right = yaml().load(content)
    # What comes after is of the report and of MLflow, which the gate does not judge.
    end = content.index(b"\n  report:")
    chance = random.Random(0)  # noqa: S311 - places, not secrets
    for position in chance.sample(range(end), FLIPS):
        _flip(lock, position)
        try:
            outcome = completed_project.run("python", "-m", "commands.gate")
            if not outcome.status:
                assert _without_sizes(right) == _without_sizes(yaml().load(lock)), position
            else:
                assert "dvc.lock" in outcome.error() or "`dvc repro`" in outcome.error()
        finally:
            lock.write_bytes(content)
    record_property("faults", FLIPS)


def _without_sizes(document: object) -> object:
    """Leave out the sizes of files, which DVC writes down and nobody reads."""
    if isinstance(document, dict):
        return {
            name: _without_sizes(value)
            for name, value in document.items()
            if name not in ("size", "nfiles")
        }
    return [*map(_without_sizes, document)] if isinstance(document, list) else document


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0, 14, 20, 8192])
def test_a_lock_file_cut_off(project_copy: Project, kept: int) -> None:
    """DVC goes on from it, or names it; with the committed one it goes on."""
    lock = project_copy.path / "dvc.lock"
    content = lock.read_bytes()
    project_copy.do("git", "add", "dvc.lock")
    project_copy.do("git", "commit", "--quiet", "--message", "Results")
    lock.write_bytes(content[:kept])
    outcome = project_copy.run("dvc", "repro")
    if outcome.status:
        assert "dvc.lock" in outcome.err
        assert (
            "`git checkout dvc.lock`" in project_copy.run("python", "-m", "commands.gate").error()
        )
        project_copy.do("git", "checkout", "dvc.lock")
        project_copy.do("dvc", "repro")
    assert content == lock.read_bytes()


@pytest.mark.slow
def test_a_list_of_locks_cut_off(project_copy: Project) -> None:
    """DVC names the file, and `make repair` takes it away."""
    locks = project_copy.path / ".dvc/tmp/rwlock"
    locks.write_bytes(b"")
    outcome = project_copy.run("dvc", "repro")
    assert outcome.status != 0
    assert "rwlock" in outcome.err
    _make(project_copy, "repair")
    assert project_copy.do("dvc", "status", "dvc.yaml") == "Data and pipelines are up to date.\n"
