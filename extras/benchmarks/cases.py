"""What is measured, and what is compared with what: to add a case, add an entry here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from common.config import Config
from extras.benchmarks.places import ROOT, checkout, clone, empty_folder, tenfold_clone

SHORT, LONG = 1000, 10_000
PYTHON = sys.executable
UV = str(Path(PYTHON).with_name("uv"))
DVC = (PYTHON, "-m", "dvc")
# Where the packages are that only baselines need.
BASELINES_PYTHON = str(ROOT / ".venv-bench/bin/python")
LOCK = ROOT / "requirements.lock"


@dataclass(frozen=True)
class Case:
    """A command to measure; one whose program is not installed is left out."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Cases that are measured one after another in one place, which each round makes again."""

    title: str
    place: Callable[[], AbstractContextManager[Path]]
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Ratio:
    """A measured value, divided by the sum of others; each is ``<case>: <value>``."""

    title: str
    value: str
    others: tuple[str, ...]


def baseline(name: str, module: str, *stops: int, python: str = PYTHON) -> Case:
    """Return the case that trains with a baseline up to some numbers of iterations."""
    module_options = ("-m", "extras.benchmarks.baselines", module)
    return Case(name, (python, *module_options, *map(str, stops or (SHORT, LONG))))


def shell(name: str, script: str) -> Case:
    """Return the case that runs a line of shell."""
    return Case(name, ("sh", "-ec", script))


BASELINES = Group(
    "The same training in other ways",
    checkout,
    (
        baseline("the project", "pipeline"),
        baseline("the project, not reproducible", "pipeline:not_reproducible"),
        baseline("the machine's limit", "matrix_products"),
        baseline("the tutorial's loop", "tutorial"),
        baseline("Keras fit", "keras_fit"),
        baseline("Keras fit, 100 steps per call", "keras_fit:hundred_steps_per_call"),
        baseline("JAX scan", "jax_scan", python=BASELINES_PYTHON),
        baseline("PyTorch", "pytorch", python=BASELINES_PYTHON),
        baseline("PyTorch, compiled", "pytorch:compiled", python=BASELINES_PYTHON),
        baseline("NumPy", "numpy_loop"),
        baseline("scikit-learn", "scikit_learn"),
    ),
)


def stages(config: Config) -> tuple[str, ...]:
    """Return the stages after `fetch`, whose time is that of the network."""
    return ("flatten", *(f"train@{run}" for run in config.runs), "evaluate", "report", "track")


def groups(config: Config) -> tuple[Group, ...]:
    """Return everything that is measured, in the order in which each round measures it."""
    set_up = (
        shell(
            "set-up with uv",
            f"{UV} venv --quiet --python {PYTHON} uv; "
            f"{UV} pip install --quiet --python uv --require-hashes -r {LOCK}",
        ),
        shell(
            "set-up with pip",
            f"{PYTHON} -m venv pip; pip/bin/pip install --quiet --require-hashes -r {LOCK}",
        ),
        shell("new clone to gate", f"git clone --quiet {ROOT} clone; cd clone; make repro gate"),
    )
    repro = (
        Case("cold repro", (*DVC, "repro")),
        Case("idle repro", (*DVC, "repro")),
        Case("experiment", (*DVC, "exp", "run", "-S", "train.learning_rate=0.002")),
    )
    one_by_one = tuple(Case(stage, (*DVC, "repro", "-s", stage)) for stage in stages(config))
    tenfold = tuple(Case(f"{case.name}, tenfold", case.command) for case in one_by_one)
    outputs = (".cache/benchmarks/weights.npz", ".cache/benchmarks/costs.csv")
    processes = (
        Case("import tensorflow", (PYTHON, "-c", "import tensorflow")),
        *(
            Case(f"train {run}", (PYTHON, "-m", "stages.train", run, "data/flat", *outputs))
            for run in config.runs
        ),
    )
    autolog = tuple(
        baseline(
            f"Keras with autologging, {name}", "keras_autolog", run.iterations,
            python=BASELINES_PYTHON,
        )
        for name, run in config.runs.items()
    )  # fmt: skip
    return (
        Group("Environment", empty_folder, set_up),
        Group("Pipeline", clone, repro),
        Group("Stages", clone, one_by_one),
        Group("Stages with ten times the data", tenfold_clone, tenfold),
        Group("Training processes", checkout, processes),
        Group("Keras scripts with autologging", checkout, autolog),
        BASELINES,
    )


def ratios(config: Config) -> tuple[Ratio, ...]:
    """Return what is compared with what."""
    autolog = tuple(f"Keras with autologging, {run}: seconds" for run in config.runs)
    processes = (
        ("set-up with uv", "set-up with pip"),
        ("experiment", "cold repro"),
        ("idle repro", "cold repro"),
        (f"train {next(iter(config.runs))}", "import tensorflow"),
        *((f"{stage}, tenfold", stage) for stage in stages(config)),
    )
    return (
        Ratio("cold repro / Keras scripts with autologging", "cold repro: seconds", autolog),
        *(
            Ratio(f"{one} / {other}", f"{one}: seconds", (f"{other}: seconds",))
            for one, other in processes
        ),
        *(
            Ratio(
                f"an iteration / {case.name}",
                "the project: seconds_per_iteration",
                (f"{case.name}: seconds_per_iteration",),
            )
            for case in BASELINES.cases[1:]
        ),
    )
