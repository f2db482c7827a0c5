"""The sweep command, as far as it gets without Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from extras.sweeps import cluster
from tests.fixtures import Workspace, write_yaml


@pytest.mark.parametrize(
    ("arguments", "validation_examples", "message"),
    [
        (["none.yaml"], 100, "none.yaml: not found"),
        (["some.yaml", "--resume"], 100, "some.yaml: nothing to resume"),
        # A trial would be validated with other examples than the pipeline's run.
        (["some.yaml"], 101, "data/flat: made with other settings"),
        (["some.yaml"], 100, "Ray is not installed; `make sweep` installs it"),
    ],
)
def test_what_prevents_a_sweep_is_one_line(
    completed_workspace: Workspace,
    document: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    validation_examples: int,
    message: str,
) -> None:
    """The command ends with status 2."""
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    write_yaml(Path("some.yaml"), document)
    completed_workspace.params["flatten"]["validation_examples"] = validation_examples
    completed_workspace.write()
    completed = completed_workspace.run("extras.sweeps.sweep", *arguments)
    assert completed.status == 2
    assert message in completed.error()
