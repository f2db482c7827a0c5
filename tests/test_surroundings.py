"""The same results in every environment. For a new report, add a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures import Project, Surroundings

BROKEN_LIBRARY = {"path/pydantic/__init__.py": "raise ImportError('not the one of .venv')\n"}
SURROUNDINGS = {
    "another locale": Surroundings({"LC_ALL": "C", "PYTHONUTF8": "0", "TZ": "Pacific/Auckland"}),
    "forced colours": Surroundings({"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}),
    "warnings as errors": Surroundings({"PYTHONWARNINGS": "error"}),
    "a safe path": Surroundings({"PYTHONSAFEPATH": "1"}),
    "optimised bytecode": Surroundings({"PYTHONOPTIMIZE": "2"}),
    "no home": Surroundings({"HOME": "/proc/nowhere"}),
    "few open files": Surroundings(wrapper=("prlimit", "--nofile=256")),
    "another path": Surroundings({"PYTHONPATH": "{home}/path"}, files=BROKEN_LIBRARY),
    "TensorFlow's variables": Surroundings({"TF_DETERMINISTIC_OPS": "1", "XLA_FLAGS": "--no"}),
    "a proxy": Surroundings({"http_proxy": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}),
    "another DVC_ROOT": Surroundings({"DVC_ROOT": "/other", "DVC_EXP_NAME": "other"}),
    "git without a user": Surroundings(git={"user.useConfigOnly": "true"}),
    "git that converts line ends": Surroundings(git={"core.autocrlf": "true"}),
    "a strict umask": Surroundings(umask=0o077),
    "one processor": Surroundings(wrapper=("taskset", "--cpu-list", "0")),
}


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_the_results_are_the_same(project_copy: Project, name: str, tmp_path: Path) -> None:
    """A clone makes the same files again, and passes the gate, in plain lines."""
    lock = (project_copy.path / "dvc.lock").read_bytes()
    clone = project_copy.within(SURROUNDINGS[name]).clone(tmp_path / "50%25 o'clock?")
    stages = ("fetch", "flatten", "train@short", "track")
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
    project = project_copy.within(Surroundings(wrapper=(*nameless, *without)))
    assert "uid not found" in project.run("dvc", "repro").err
    for command in (("make", "repro"), ("make", "gate"), ("python", "-m", "stages.track", "--all")):
        assert "uid not found" not in project.do(*command)
