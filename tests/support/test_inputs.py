"""What DVC would record wrongly is noticed: other inputs or packages than those that were used."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from support import inputs
from support.command_line import CommandError, InputError
from support.inputs import check_unchanged, stage_inputs
from support.requirements import check_requirements
from tests.workspace import Workspace, write_yaml

TRAIN = {
    "foreach": "${runs}",
    "do": {
        "cmd": "true",
        "deps": ["code", "data.npz"],
        "params": ["train", "runs.${key}.iterations", {"datasets.yaml": ["${dataset}.files"]}],
    },
}
EDITS: dict[str, tuple[str | None, Callable[[Workspace], object]]] = {
    "nothing": (None, lambda _: None),
    "bytecode": (None, lambda _: Path("code/a.pyc").touch()),
    "a hidden file": (None, lambda _: Path("code/.a.swp").touch()),
    "the time of code": (None, lambda _: Path("code/a.py").touch()),
    "another run": (None, lambda it: it.params["runs"]["short"].update(iterations=7)),
    "other settings": (None, lambda it: it.params["report"].update(grid_seed=7)),
    "its source": (None, lambda it: it.datasets["synthetic"].update(sources=[])),
    "code": ("code/a.py", lambda _: Path("code/a.py").write_text("edited")),
    "more code": ("code/b.py", lambda _: Path("code/b.py").touch()),
    "less code": ("code/a.py", lambda _: Path("code/a.py").unlink()),
    "large data": ("data.npz", lambda _: Path("data.npz").write_bytes(b"11")),
    "its settings": ("params.yaml: train", lambda it: it.params["train"].update(seed=7)),
    "its run": (
        "params.yaml: runs.long.iterations",
        lambda it: it.params["runs"]["long"].update(iterations=7),
    ),
    "its data": (
        "datasets.yaml: synthetic.files",
        lambda it: it.datasets["synthetic"].update(files={}),
    ),
}


@pytest.mark.fault
@pytest.mark.parametrize(("changed", "edit"), EDITS.values(), ids=EDITS)
def test_an_edit_while_a_stage_runs(
    workspace: Workspace,
    changed: str | None,
    edit: Callable[[Workspace], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only what dvc.yaml lists for this stage matters."""
    monkeypatch.setattr(inputs, "HASHED_BYTES", 8)
    monkeypatch.setenv("DVC_STAGE", "train@long")
    write_yaml(workspace.path / "dvc.yaml", {"stages": {"train": TRAIN}})
    workspace.put("code", {"a.py": b"code"})
    workspace.put(".", {"data.npz": b"more than 8 bytes"})
    before = stage_inputs()
    edit(workspace)
    workspace.write()
    if changed is None:
        check_unchanged(before, stage_inputs())
    else:
        with pytest.raises(CommandError, match=f"^{changed}: changed while train@long ran, "):
            check_unchanged(before, stage_inputs())


def test_without_dvc_a_command_has_no_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_STAGE", raising=False)
    assert stage_inputs() == {}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"numpy=={version('numpy')}", None),
        ("nothing==1 ; python_version < '3'", None),
        ("numpy==0.1", f"numpy==0.1, but {version('numpy')} is installed"),
        ("nothing==1", "nothing==1, but nothing is installed"),
    ],
)
def test_other_packages_than_those_that_are_pinned(
    line: str, problem: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(f"# Comments and empty lines\n\n{line}  # are left out\n")
    if problem is None:
        check_requirements(path)
    else:
        with pytest.raises(InputError, match=f"^{path}: pins {problem}; `make repro` inst"):
            check_requirements(path)
