"""What DVC would record wrongly is noticed: other inputs or packages than those that were used."""

import importlib
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

import pytest

from support import inputs
from support.command_line import CommandError, InputError
from support.inputs import check_places, check_unchanged, run_stage, stage_inputs
from support.requirements import check_requirements
from tests.workspace import Workspace, write_yaml

TRAIN = {
    "foreach": "${runs}",
    "do": {
        "cmd": "true",
        "deps": ["code", "data.npz"],
        "params": [
            "train",
            "runs.${key}.iterations",
            {"datasets.yaml": ["${dataset}.files"]},
            {"more.yaml": ["a"], "all.yaml": None, "more.toml": ["a"]},
        ],
    },
}
LARGE = b"more than 8 bytes"


def _replace(path: Path, content: bytes) -> None:
    """Write a file that seems as old as the one before it."""
    time = path.stat().st_mtime_ns
    path.write_bytes(content)
    os.utime(path, ns=(time, time))


EDITS: dict[str, tuple[str | None, Callable[[Workspace], object]]] = {
    "nothing": (None, lambda _: None),
    "bytecode": (None, lambda it: it.put("code/__pycache__", {"a.pyc": b""})),
    "a hidden file": (None, lambda _: Path("code/.a.swp").touch()),
    "a notebook": (None, lambda it: it.put("code/.ipynb_checkpoints", {"a.py": b""})),
    "a setting of another file": (None, lambda _: Path("more.yaml").write_text("a: 1\nb: 0\n")),
    "its setting of another file": (
        "more.yaml: a",
        lambda _: Path("more.yaml").write_text("a: 0\nb: 1\n"),
    ),
    "a whole file of settings": ("all.yaml", lambda _: Path("all.yaml").write_text("a: 0\n")),
    "settings that are not YAML": ("more.toml", lambda _: Path("more.toml").write_text("a = 0\n")),
    "the time of code": (None, lambda _: Path("code/a.py").touch()),
    "another run": (None, lambda it: it.params["runs"]["short"].update(iterations=7)),
    "other settings": (None, lambda it: it.params["report"].update(grid_seed=7)),
    "its source": (None, lambda it: it.datasets["synthetic"].update(sources=[])),
    "code": ("code/a.py", lambda _: Path("code/a.py").write_text("edited")),
    "more code": ("code/b.py", lambda _: Path("code/b.py").touch()),
    "less code": ("code/a.py", lambda _: Path("code/a.py").unlink()),
    "large data": ("data.npz", lambda _: Path("data.npz").write_bytes(LARGE.upper())),
    "the size of large data": ("data.npz", lambda _: _replace(Path("data.npz"), LARGE + b"!")),
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
    settings = {"more.yaml": b"a: 1\nb: 1\n", "all.yaml": b"a: 1\n", "more.toml": b"a = 1\n"}
    workspace.put(".", {"data.npz": LARGE, **settings})
    before = stage_inputs()
    edit(workspace)
    workspace.write()
    if changed is None:
        check_unchanged(before, stage_inputs())
    else:
        with pytest.raises(CommandError, match=f"^{changed}: changed while train@long ran, "):
            check_unchanged(before, stage_inputs())


def _fail() -> NoReturn:
    raise CommandError("no luck")


@pytest.mark.fault
@pytest.mark.parametrize(
    ("stage", "lost"),
    [("train@long", "models/long, costs/long.csv"), ("fetch", ""), ("report", "")],
)
def test_what_dvc_removed_before_a_failed_stage_is_named(
    workspace: Workspace,
    stage: str,
    lost: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With what restores it; not what is still there, or never was."""
    monkeypatch.setenv("DVC_STAGE", stage)
    workspace.put("data", {"raw": b""})
    outs = {"train@long": ["models/long", "costs/long.csv"], "fetch": ["data/raw"]}
    stages = {name: {"outs": [{"path": path} for path in paths]} for name, paths in outs.items()}
    write_yaml(workspace.path / "dvc.lock", {"stages": stages})
    with pytest.raises(SystemExit) as exit_:
        run_stage(_fail)
    assert exit_.value.code == 1
    error, *hint = capsys.readouterr().err.splitlines()
    assert error == "error: no luck"
    expected = f"DVC removed {lost} before this stage; `dvc checkout --force {stage}` restores"
    assert [line[: len(expected)] for line in hint] == ([expected] if lost else [])


def test_an_output_behind_a_link_out_of_the_repository_is_refused(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A link within it is not."""
    monkeypatch.setenv("DVC_STAGE", "flatten")
    outs = ["one/flat", {"two/metrics.json": {"cache": False}}]
    write_yaml(workspace.path / "dvc.yaml", {"stages": {"flatten": {"outs": outs}}})
    workspace.put("one", {})
    Path("two").symlink_to("one")
    check_places()
    Path("two").unlink()
    disk = tmp_path_factory.mktemp("disk")
    Path("two").symlink_to(disk)
    with pytest.raises(InputError, match=f"^two: a link to {disk}, outside of the repository"):
        check_places()


def test_a_stage_checks_the_packages_that_are_pinned_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before it does anything."""
    (tmp_path / "stage.py").write_text("def main():\n    print('at work')\n")
    (tmp_path / "requirements.txt").write_text("numpy==0.1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    main = importlib.import_module("stage").main
    monkeypatch.delitem(sys.modules, "stage")
    with pytest.raises(SystemExit) as exit_:
        run_stage(main)
    assert exit_.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {tmp_path}/requirements.txt: pins numpy==0.1, but")


def test_without_dvc_a_command_has_no_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_STAGE", raising=False)
    assert stage_inputs() == {}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"numpy=={version('numpy')}", None),
        ("nothing==1 ; python_version < '3'", None),
        ("--extra-index-url https://example.org/simple", None),
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
