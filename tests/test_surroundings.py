"""The same results in every environment. For a new report, add a line."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import Project

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
    clone = dataclasses.replace(project_copy, **surroundings).clone(tmp_path / "50%25 o'clock?")
    stages = ("fetch", "flatten", "train@short", "report", "track")
    printed = clone.do("dvc", "repro", "--force", "--single-item", *stages)
    assert (clone.path / "dvc.lock").read_bytes() == lock
    printed += clone.do("make", "gate")
    assert "points to spare" in printed
    assert "\x1b" not in printed


@pytest.mark.fault
@pytest.mark.slow
def test_a_user_id_needs_no_name(project_copy: Project) -> None:
    """As in a container that runs as any user id."""
    nameless = ("unshare", "--user", "--map-user=1234567", "--map-group=0")
    without = ("env", *(f"--unset={name}" for name in ("USER", "LOGNAME", "LNAME", "USERNAME")))
    project = dataclasses.replace(project_copy, wrapper=(*nameless, *without))
    assert "uid not found" in project.run("dvc", "repro").err
    for command in (("make", "repro"), ("make", "gate"), ("python", "-m", "stages.track", "--all")):
        assert "uid not found" not in project.do(*command)
