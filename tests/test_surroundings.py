"""The same results in every environment. For a new report, add a line."""

import dataclasses
import os
import shutil
import venv
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from support.yaml_file import read_yaml
from tests.project import Project

# The values are fields of `Project`, or the user's settings of git.
SURROUNDINGS: dict[str, dict[str, Any]] = {
    "another locale": {"variables": {"LC_ALL": "C", "PYTHONUTF8": "0", "TZ": "Pacific/Auckland"}},
    "forced colours": {"variables": {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}},
    "warnings as errors": {"variables": {"PYTHONWARNINGS": "error"}},
    "a safe path": {"variables": {"PYTHONSAFEPATH": "1"}},
    "optimised bytecode": {"variables": {"PYTHONOPTIMIZE": "2"}},
    "no home": {"variables": {"HOME": "/proc/nowhere"}},
    "few open files": {"wrapper": ("prlimit", "--nofile=256")},
    "a path with a broken library": {"variables": {"PYTHONPATH": "../home/broken"}},
    "TensorFlow's variables": {"variables": {"TF_DETERMINISTIC_OPS": "1", "XLA_FLAGS": "--no"}},
    "matplotlib's variables": {"variables": {"MPLBACKEND": "svg", "MATPLOTLIBRC": "../home"}},
    "a proxy": {"variables": {"http_proxy": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}},
    "another DVC_ROOT": {"variables": {"DVC_ROOT": "/other", "DVC_EXP_NAME": "other"}},
    "git without a user": {"gitconfig": "[user]\n    useConfigOnly = true\n"},
    "git that converts line ends": {"gitconfig": "[core]\n    autocrlf = true\n"},
    "a strict umask": {"umask": 0o077},
    "one processor": {"wrapper": ("taskset", "--cpu-list", "0")},
}


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_a_clone_makes_the_same_files(project_copy: Project, name: str, tmp_path: Path) -> None:
    surroundings = dict(SURROUNDINGS[name])
    (project_copy.home / ".gitconfig").write_text(surroundings.pop("gitconfig", ""))
    library = project_copy.home / "broken/pydantic/__init__.py"
    library.parent.mkdir(parents=True)
    library.write_text("raise ImportError('not the one of .venv')\n")
    (project_copy.home / "matplotlibrc").write_text("lines.linewidth: 9\nfont.size: 30\n")
    lock = (project_copy.path / "dvc.lock").read_bytes()
    clone = dataclasses.replace(project_copy, **surroundings).clone(tmp_path / "it's here")
    stages = ("fetch", "flatten", "train@short", "report", "track")
    printed = clone.do("dvc", "repro", "--force", "--single-item", *stages)
    assert (clone.path / "dvc.lock").read_bytes() == lock
    printed += clone.do("make", "gate")
    assert "points to spare" in printed
    assert "\x1b" not in printed


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "fish", "tcsh", "zsh"])
def test_any_login_shell(project_copy: Project, shell: str) -> None:
    """DVC has it run the stages: with `make` without activating, and in an experiment."""
    if not (path := shutil.which(shell)):
        pytest.skip(f"no {shell}: `apt-get install {shell}`")
    project = dataclasses.replace(project_copy, variables={"SHELL": path})
    lock = project.path / "dvc.lock"
    before = lock.read_bytes()
    lock.unlink()
    shutil.rmtree(project.path / ".dvc/cache")
    assert "points to spare" in project.do("make", "repro", "gate", PATH=os.defpath)
    assert lock.read_bytes() == before
    project.do("dvc", "exp", "run", "--temp", "--name", "other-seed", "-S", "train.seed=2")
    assert project.do("dvc", "exp", "list", "--name-only") == "other-seed\n"
    assert lock.read_bytes() == before


@pytest.mark.fault
def test_the_active_environment_runs_the_stages(project_copy: Project, tmp_path: Path) -> None:
    """It is preferred to .venv; if it lacks the packages, each stage says so in one line."""
    venv.create(tmp_path / "active", symlinks=True)
    variables = {"PATH": f"{tmp_path}/active/bin:{project_copy.path}/.venv/bin:{os.defpath}"}
    expected = f"error: {tmp_path}/active/bin/python lacks the packages of requirements.lock; "
    project = dataclasses.replace(project_copy, variables=variables)
    repro = project.run("dvc", "repro", "--force", "--single-item", "fetch")
    (error,) = (line for line in repro.err.splitlines() if line.startswith("error: "))
    assert error.startswith(expected)
    for stage in read_yaml(project.path / "dvc.yaml")["stages"]:
        completed = project.run("python", "-E", "-m", f"stages.{stage}")
        assert completed.err.startswith(expected)
        assert completed.err.count("\n") == 1


@pytest.mark.fault
def test_an_environment_that_drifted_trains_nothing(project_copy: Project) -> None:
    """DVC would record the pinned packages with what others have made."""
    installed = version("numpy")
    requirements = "stages/train/requirements.txt"
    project_copy.edit(requirements, f"numpy=={installed}", "numpy==2.0.0")
    completed = project_copy.run("dvc", "repro", "train@short")
    problem = (
        f"error: {requirements}: pins numpy==2.0.0, but {installed} is installed; `make repro`"
    )
    assert problem in completed.err.replace(f"{project_copy.path}/", "")
    assert "iteration 0" not in completed.out


@pytest.mark.fault
@pytest.mark.slow
def test_a_user_id_needs_no_name_for_make(project_copy: Project) -> None:
    """As in a container that runs as any user id."""
    nameless = ("unshare", "--user", "--map-user=1234567", "--map-group=0")
    without = ("env", *(f"--unset={name}" for name in ("USER", "LOGNAME", "LNAME", "USERNAME")))
    project = dataclasses.replace(project_copy, wrapper=(*nameless, *without))
    assert "points to spare" in project.do("make", "repro", "gate")
