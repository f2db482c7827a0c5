"""The sweep command, as far as it gets without Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from extras.sweeps import cluster
from tests.fixtures import Workspace, write_yaml


@pytest.fixture
def ready(completed_workspace: Workspace, document: dict[str, Any]) -> Workspace:
    """Return a working directory with arrays and a sweep file."""
    write_yaml(Path("some.yaml"), document)
    return completed_workspace


def _error(workspace: Workspace, *arguments: str) -> str:
    completed = workspace.run("extras.sweeps.sweep", *arguments)
    assert completed.status == 2
    return completed.error()


def test_a_missing_file_is_one_line(workspace: Workspace) -> None:
    """The command ends with status 2, without Ray."""
    assert "none.yaml: not found" in _error(workspace, "none.yaml")


def test_only_the_same_sweep_can_be_resumed(ready: Workspace) -> None:
    """One that was not started, or was started with other settings, cannot."""
    assert "some.yaml: nothing to resume" in _error(ready, "some.yaml", "--resume")


def test_arrays_of_other_settings_are_refused(ready: Workspace) -> None:
    """A trial would be validated with other examples than the pipeline's run."""
    ready.params["flatten"]["validation_examples"] += 1
    ready.write()
    assert "data/flat: made with other settings" in _error(ready, "some.yaml")


def test_without_ray_one_line_tells_how_to_install_it(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray is not among the packages of the pipeline."""
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    assert _error(ready, "some.yaml") == "Ray is not installed; `make sweep` installs it"
