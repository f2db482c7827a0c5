"""The cases, and what each is compared with: to add a case, add an entry here."""

import shlex
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from common.config import Config
from extras.benchmarks.places import ROOT, checkout, new_clone, prepared_clone, tenfold_clone

PYTHON = shlex.quote(sys.executable)
DVC = f"{PYTHON} -m dvc"
BASELINE = "-m extras.benchmarks.baselines"
# The environment of the packages that only baselines need.
WITH_PACKAGES = shlex.quote(str(ROOT / ".venv-bench/bin/python"))
SHORT, LONG = 1000, 10_000
STOPS = f"{SHORT} {LONG}"
OUTPUTS = ".cache/benchmarks/weights.npz .cache/benchmarks/costs.csv"
PROJECT = "the project"


@dataclass(frozen=True)
class Case:
    """A command to measure; it is skipped if its program is not installed.

    Attributes
    ----------
    name, command
        The command runs in the place of its group, after those before it.
    compared_with
        The cases that its time is compared with; several count as the sum of their times.
    """

    name: str
    command: str
    compared_with: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Cases that are measured one after another in one place, which is new in each round."""

    title: str
    place: Callable[[], AbstractContextManager[Path]]
    cases: tuple[Case, ...]


def shell(script: str) -> str:
    """Return the command that runs a script and stops at the first failure."""
    return shlex.join(("sh", "-ec", script))


ENVIRONMENT = (
    Case(
        "set-up with pip",
        shell(f"{PYTHON} -m venv pip; pip/bin/pip install --require-hashes -r requirements.lock"),
    ),
    Case("set-up with uv", f"make PYTHON={PYTHON} .venv/installed", ("set-up with pip",)),
    Case(
        "new clone to gate",
        shell(f"git clone {shlex.quote(str(ROOT))} new; cd new; make PYTHON={PYTHON} repro gate"),
    ),
)
BASELINES = (
    Case(PROJECT, f"{PYTHON} {BASELINE} pipeline {STOPS}"),
    Case("the project, not reproducible", f"{PYTHON} {BASELINE} pipeline:not_reproducible {STOPS}"),
    Case("the machine's limit", f"{PYTHON} {BASELINE} matrix_products {STOPS}"),
    Case("the tutorial's loop", f"{PYTHON} {BASELINE} tutorial {STOPS}"),
    Case("Keras fit", f"{PYTHON} {BASELINE} keras_fit {STOPS}"),
    Case(
        "Keras fit, 100 steps per call",
        f"{PYTHON} {BASELINE} keras_fit:hundred_steps_per_call {STOPS}",
    ),
    Case("JAX scan", f"{WITH_PACKAGES} {BASELINE} jax_scan {STOPS}"),
    Case("PyTorch", f"{WITH_PACKAGES} {BASELINE} pytorch {STOPS}"),
    Case("PyTorch, compiled", f"{WITH_PACKAGES} {BASELINE} pytorch:compiled {STOPS}"),
    Case("NumPy", f"{PYTHON} {BASELINE} numpy_loop {STOPS}"),
    Case("scikit-learn", f"{PYTHON} {BASELINE} scikit_learn {STOPS}"),
)


def groups(config: Config) -> tuple[Group, ...]:
    """Return everything that is measured, in the order in which each round measures it."""
    # Not `fetch`, whose time is that of the network.
    stages = ("flatten", *(f"train@{run}" for run in config.runs), "evaluate", "report", "track")
    autologging = tuple(
        Case(
            f"Keras with autologging, {name}",
            f"{WITH_PACKAGES} {BASELINE} keras_fit:with_autologging {run.iterations}",
        )
        for name, run in config.runs.items()
    )
    pipeline = (
        Case("cold repro", f"{DVC} repro", tuple(case.name for case in autologging)),
        Case("idle repro", f"{DVC} repro", ("cold repro",)),
        Case("experiment", f"{DVC} exp run -S train.learning_rate=0.002", ("cold repro",)),
    )
    one_by_one = tuple(Case(name, f"{DVC} repro -s {name}") for name in stages)
    ten_times = tuple(
        Case(f"{case.name}, ten times", case.command, (case.name,)) for case in one_by_one
    )
    processes = (
        Case("import tensorflow", f"{PYTHON} -c 'import tensorflow'"),
        *(
            Case(
                f"train {run}",
                f"{PYTHON} -m stages.train {run} data/flat {OUTPUTS}",
                ("import tensorflow",),
            )
            for run in config.runs
        ),
    )
    return (
        Group("Environment", new_clone, ENVIRONMENT),
        Group("Pipeline", prepared_clone, pipeline),
        Group("Stages", prepared_clone, one_by_one),
        Group("Stages with ten times the data", tenfold_clone, ten_times),
        Group("Training processes", checkout, processes),
        Group("Keras scripts with autologging", checkout, autologging),
        Group("The same training in other ways", checkout, BASELINES),
    )
