"""Where a result comes from: the commit, what was changed since, the processor, the versions."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
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
        What tracked files differ from it, as a patch for `git apply`; empty where none does.
    experiment
        DVC's name of the experiment, or None.
    machine
        The processor and the versions of what computes and keeps the results; empty where that
        was another machine.
    seconds
        When it was committed, as Unix time; None for what has just been made.
    """

    commit: str | None
    difference: bytes
    experiment: str | None
    machine: Mapping[str, str]
    seconds: int | None


def here() -> Provenance:
    """Describe the working directory, as it is now."""
    return Provenance(
        commit=_line("rev-parse", "HEAD") or None,
        # Whatever the user's configuration says, a patch that can be applied anywhere.
        difference=_git(
            *("diff", "--binary", "--no-color", "--no-ext-diff", "--no-textconv"),
            *("--no-relative", "--src-prefix=a/", "--dst-prefix=b/", "HEAD"),
        ),
        experiment=os.environ.get("DVC_EXP_NAME") or None,
        machine=machine(),
        seconds=None,
    )


def machine() -> dict[str, str]:
    """Name the processor, and the versions of what computes and keeps the results."""
    return {
        "processor": processor(),
        "version.python": platform.python_version(),
        **{f"version.{name}": version(name) for name in PACKAGES},
    }


def commits(changing: str) -> Iterator[Provenance]:
    """Go through the commits of all branches and tags, then through DVC's experiments.

    Parameters
    ----------
    changing
        A file. Where several commits have the same one, only the oldest is given.
    """
    places: list[tuple[str, str | None]] = [
        (commit, None)
        for commit in _line(
            "rev-list", "--topo-order", "--reverse", "--branches", "--tags", "HEAD"
        ).split()
    ]
    # As <objectname> refs/exps/<2 digits>/<38 digits>/<name>
    references = _line("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps/*/*/*")
    for commit, name in map(str.split, references.splitlines()):
        places.append((commit, name.rpartition("/")[2]))
    seen = set()
    for commit, experiment in places:
        content = _line("rev-parse", "--verify", "--quiet", f"{commit}:{changing}") or commit
        if content not in seen:
            seen.add(content)
            seconds = int(_line("show", "--no-patch", "--format=%ct", commit))
            yield Provenance(commit, b"", experiment, {}, seconds)


def processor() -> str:
    """Name the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux: Python's own answer is a name there
    return platform.processor() or platform.machine()


def _line(*arguments: str) -> str:
    return _git(*arguments).decode().strip()


def _git(*arguments: str) -> bytes:
    try:
        asked = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return b""
    return asked.stdout if asked.returncode == 0 else b""
