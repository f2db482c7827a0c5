"""Where a result comes from: the commit, what was changed since, the processor, the versions."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("tensorflow", "numpy", "dvc", "mlflow")


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from.

    Attributes
    ----------
    commit
        The commit, or None outside of git.
    difference
        What tracked files differ from it, as a patch; empty where none does.
    experiment
        DVC's name of the experiment, or None.
    """

    commit: str | None
    difference: str
    experiment: str | None


def here() -> Provenance:
    """Describe the working directory, as it is now."""
    return Provenance(
        commit=_git("rev-parse", "HEAD") or None,
        difference=_git("diff", "--no-ext-diff", "HEAD"),
        experiment=os.environ.get("DVC_EXP_NAME") or None,
    )


def commits() -> Iterator[Provenance]:
    """Go through all commits of all branches, then through DVC's experiments."""
    for commit in _git("rev-list", "--branches", "--tags", "HEAD").split():
        yield Provenance(commit, "", None)
    references = _git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps/*/*/*")
    for line in references.splitlines():
        commit, name = line.split()
        yield Provenance(commit, "", name.rpartition("/")[2])


def processor() -> str:
    """Name the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux: Python's own answer is a name there
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Give the versions of Python and of what computes and keeps the results."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def _git(*arguments: str) -> str:
    try:
        asked = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""
