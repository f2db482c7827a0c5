"""The commands to measure, from cases.yaml."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from extras.benchmarks.places import ROOT
from support.yaml_file import read_yaml

CASES: dict[str, Any] = read_yaml(Path(__file__).with_name("cases.yaml"))


class Group(NamedTuple):
    """A function of places.py, and the commands to measure there by the names of their cases."""

    place: str
    cases: Mapping[str, str]


def load_groups(iterations: Mapping[str, int], *, is_quick: bool = False) -> dict[str, Group]:
    """Return the groups by their titles; `iterations` has the number of each run."""
    python = shlex.quote(sys.executable)
    words = {
        "python": python,
        "dvc": f"{python} -m dvc",
        "bench_python": shlex.quote(str(ROOT / ".venv-bench/bin/python")),
        "baseline": "-m extras.benchmarks.baselines",
        "root": shlex.quote(str(ROOT)),
        "dry_run": "--dry-run" if is_quick else "",
        **iterations,
    }
    groups = {}
    for title, group in CASES["groups"].items():
        commands = group["cases"] | group.get("baselines", {})
        cases = {name: Template(commands[name]).safe_substitute(words) for name in commands}
        groups[title] = Group(group["place"], cases)
    return groups
