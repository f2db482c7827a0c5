"""What is measured and what it is compared with: to add a case, add an entry here."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from common.config import Config
from extras.benchmarks.places import ROOT, checkout, new_clone, prepared_clone, tenfold_clone

SHORT, LONG = 1000, 10_000
PYTHON = sys.executable
# Where the packages are that only baselines need.
BASELINES_PYTHON = str(ROOT / ".venv-bench/bin/python")


@dataclass(frozen=True)
class Case:
    """A command to measure; one whose program is not installed is left out.

    Attributes
    ----------
    name, command
        The command runs in the place of its group, after those before it.
    compared_with
        The cases that its time is compared with: with the sum of their times.
    """

    name: str
    command: tuple[str, ...]
    compared_with: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Cases that are measured one after another in one place, which each round makes again."""

    title: str
    place: Callable[[], AbstractContextManager[Path]]
    cases: tuple[Case, ...]


def _shell(name: str, script: str, compared_with: tuple[str, ...] = ()) -> Case:
    return Case(name, ("sh", "-ec", script, str(ROOT), PYTHON), compared_with)


def _dvc(name: str, *arguments: str, compared_with: tuple[str, ...] = ()) -> Case:
    return Case(name, (PYTHON, "-m", "dvc", *arguments), compared_with)


def _baseline(name: str, module: str, *stops: int, python: str = PYTHON) -> Case:
    command = (python, "-m", "extras.benchmarks.baselines", module)
    return Case(name, (*command, *map(str, stops or (SHORT, LONG))))


PROJECT = "the project"
BASELINES = Group(
    "The same training in other ways",
    checkout,
    (
        _baseline(PROJECT, "pipeline"),
        _baseline("the project, not reproducible", "pipeline:not_reproducible"),
        _baseline("the machine's limit", "matrix_products"),
        _baseline("the tutorial's loop", "tutorial"),
        _baseline("Keras fit", "keras_fit"),
        _baseline("Keras fit, 100 steps per call", "keras_fit:hundred_steps_per_call"),
        _baseline("JAX scan", "jax_scan", python=BASELINES_PYTHON),
        _baseline("PyTorch", "pytorch", python=BASELINES_PYTHON),
        _baseline("PyTorch, compiled", "pytorch:compiled", python=BASELINES_PYTHON),
        _baseline("NumPy", "numpy_loop"),
        _baseline("scikit-learn", "scikit_learn"),
    ),
)


def groups(config: Config) -> tuple[Group, ...]:
    """Return everything that is measured, in the order in which each round measures it."""
    # Not `fetch`, whose time is that of the network.
    stages = ("flatten", *(f"train@{run}" for run in config.runs), "evaluate", "report", "track")
    outputs = (".cache/benchmarks/weights.npz", ".cache/benchmarks/costs.csv")
    autolog = {
        f"Keras with autologging, {name}": run.iterations for name, run in config.runs.items()
    }
    return (
        Group(
            "Environment",
            new_clone,
            (
                _shell(
                    "set-up with pip",
                    '"$1" -m venv pip; pip/bin/pip install --require-hashes -r requirements.lock',
                ),
                _shell("set-up with uv", 'make PYTHON="$1" .venv/installed', ("set-up with pip",)),
                _shell("new clone to gate", 'git clone "$0" new; cd new; make repro gate'),
            ),
        ),
        Group(
            "Pipeline",
            prepared_clone,
            (
                _dvc("cold repro", "repro", compared_with=tuple(autolog)),
                _dvc("idle repro", "repro", compared_with=("cold repro",)),
                _dvc(
                    "experiment",
                    *("exp", "run", "-S", "train.learning_rate=0.002"),
                    compared_with=("cold repro",),
                ),
            ),
        ),
        Group("Stages", prepared_clone, tuple(_dvc(name, "repro", "-s", name) for name in stages)),
        Group(
            "Stages with ten times the data",
            tenfold_clone,
            tuple(
                _dvc(f"{name}, ten times", "repro", "-s", name, compared_with=(name,))
                for name in stages
            ),
        ),
        Group(
            "Training processes",
            checkout,
            (
                Case("import tensorflow", (PYTHON, "-c", "import tensorflow")),
                *(
                    Case(
                        f"train {run}",
                        (PYTHON, "-m", "stages.train", run, "data/flat", *outputs),
                        ("import tensorflow",),
                    )
                    for run in config.runs
                ),
            ),
        ),
        Group(
            "Keras scripts with autologging",
            checkout,
            tuple(
                _baseline(name, "keras_fit:with_autologging", stop, python=BASELINES_PYTHON)
                for name, stop in autolog.items()
            ),
        ),
        BASELINES,
    )
