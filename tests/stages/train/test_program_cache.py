"""The compiled programs that later trainings load."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stages.train.program_cache import CACHE, program_cache
from tests.fixtures import Project, Workspace

FLAG = "--tf_xla_persistent_cache_directory="


def folder() -> Path:
    """Return the folder that XLA reads and writes."""
    return Path(os.environ["TF_XLA_FLAGS"].removeprefix(FLAG))


@pytest.mark.fault
@pytest.mark.usefixtures("workspace")
def test_a_program_is_there_again_until_it_is_damaged() -> None:
    """The next training finds it under the same name, but XLA never sees a damaged one."""
    with program_cache():
        (folder() / "program.pb").write_bytes(b"machine code")
    with program_cache():
        assert (folder() / "program.pb").read_bytes() == b"machine code"
    assert not folder().exists()
    (kept,) = CACHE.glob("*/program.*")
    kept.write_bytes(b"machine c0de")
    with program_cache():
        assert list(folder().iterdir()) == []
    assert not kept.exists()


@pytest.mark.fault
def test_without_a_place_for_it_programs_are_compiled(workspace: Workspace) -> None:
    """A folder that cannot be made is no error."""
    (workspace.path / ".cache").write_text("a file")
    with program_cache():
        pass
    assert (workspace.path / ".cache").read_text() == "a file"


@pytest.mark.slow
def test_a_kept_program_computes_the_same_bytes(project_copy: Project) -> None:
    """A training with a kept program writes the weights of one that compiled it."""
    arguments = ("-m", "stages.train", "short", "data/flat", "weights.npz", "costs.csv")
    weights = project_copy.path / "weights.npz"
    project_copy.do("python", *arguments)
    compiled, kept = weights.read_bytes(), set((project_copy.path / CACHE).glob("*/*"))
    project_copy.do("python", *arguments)
    assert set((project_copy.path / CACHE).glob("*/*")) == kept
    assert weights.read_bytes() == compiled
    assert compiled == (project_copy.path / "models/short/weights.npz").read_bytes()
