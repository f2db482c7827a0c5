"""Everything that is measured; each case is one or more processes of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from common.command_line import CommandError
from extras.benchmarks import processes
from extras.benchmarks.measurements import Unit
from extras.portability.__main__ import prepare

ROOT = Path(__file__).parents[1]
FLAT = ROOT / "data/flat"
RAW = ROOT / "data/raw"
SHORT, LONG, LONGER = 1000, 10_000, 100_000
# Where packages are that only the peers need; see `make bench-peers`.
PEERS_PYTHON = ROOT / ".venv-bench/bin/python"

Values = Mapping[str, tuple[Unit, float]]


@dataclass(frozen=True)
class Case:
    """Something to measure.

    Attributes
    ----------
    name
        Also of the value that it gives exactly once.
    measure
        Does it, and gives the values by their names.
    packages
        What has to be installed.
    """

    name: str
    measure: Callable[[], Values]
    packages: tuple[str, ...] = ()

    @property
    def missing(self) -> str:
        """The packages that are not installed."""
        return "" if python_with(self.packages) else ", ".join(self.packages)


@dataclass(frozen=True)
class Peer:
    """One of the programs in benchmarks/peers."""

    title: str
    command: tuple[str, ...]
    packages: tuple[str, ...]


PEERS = (
    Peer("this project", ("pipeline",), ("tensorflow",)),
    Peer("the tutorial's loop", ("tutorial",), ("tensorflow",)),
    Peer("Keras fit", ("keras_fit",), ("keras",)),
    Peer(
        "Keras fit, steps_per_execution=100",
        ("keras_fit", "--steps-per-execution", "100"),
        ("keras",),
    ),
    Peer("Keras fit, jit_compile=False", ("keras_fit", "--no-jit-compile"), ("keras",)),
    Peer("PyTorch", ("pytorch",), ("torch",)),
    Peer("PyTorch, torch.compile", ("pytorch", "--compile"), ("torch",)),
    Peer("JAX scan", ("jax_scan",), ("jax", "optax")),
    Peer("scikit-learn", ("scikit_train_step",), ("sklearn",)),
    Peer("NumPy", ("numpy_loop",), ("numpy",)),
)
AUTOLOG = ("tensorflow", "mlflow", "tensorboard")
# What is run, and the two modules that take seconds.
IMPORTS = (
    "fetch", "flatten", "train", "network", "evaluate", "report", "track", "tracking", "gate",
    "predict",
)  # fmt: skip


def python_with(packages: tuple[str, ...]) -> str | None:
    """Find the Python that has these packages: this one, or that of the peers."""
    finds = f"import importlib.util as u; raise SystemExit(not all(map(u.find_spec, {packages})))"
    for python in (sys.executable, str(PEERS_PYTHON)):
        if (
            shutil.which(python)
            and not subprocess.run([python, "-c", finds], check=False).returncode
        ):
            return python
    return None


def cases() -> Iterator[Case]:
    """Give all cases, in the order in which they are measured in each round."""
    yield Case("steady", _steady)
    for peer in PEERS:
        yield Case(f"{peer.title}: process", partial(_peer, peer), peer.packages)
    for iterations in (SHORT, LONG, LONGER):
        yield Case(f"train {iterations}: process", partial(_train, iterations))
    yield Case("import tensorflow: process", _import_tensorflow)
    yield Case("dvc repro: process", _pipeline)
    for iterations in (SHORT, LONG):
        yield Case(f"autolog {iterations}: process", partial(_autolog, iterations), AUTOLOG)
    for stage in IMPORTS:
        yield Case(f"import stages.{stage}", partial(_import, stage))
    for costs in (SHORT, LONG, LONGER):
        yield Case(f"track {costs}: process", partial(_track, costs))


def _python(packages: tuple[str, ...]) -> str:
    if found := python_with(packages):
        return found
    raise CommandError(f"not installed: {', '.join(packages)}")


def _process(name: str, ended: processes.Ended) -> Values:
    return {
        f"{name}: process": ("second", ended.seconds),
        f"{name}: peak": ("byte", ended.peak_bytes),
    }


def _steady() -> Values:
    ended = processes.run([sys.executable, "-m", "extras.benchmarks.steady", str(FLAT)], ROOT)
    return {
        "steady": ("second", ended.seconds),
        "iteration": ("second", ended.result["iteration"]),
        "limit": ("second", ended.result["limit"]),
    }


def _peer(peer: Peer) -> Values:
    module, *options = peer.command
    command = [
        _python(peer.packages),
        "-m",
        f"extras.benchmarks.peers.{module}",
        *options,
        str(FLAT),
    ]
    with _folder() as folder:
        ended = processes.run(
            [*command, str(SHORT), str(LONG)],
            ROOT,
            # What torch.compile keeps for the next time.
            {"TORCHINDUCTOR_CACHE_DIR": str(folder), "TRITON_CACHE_DIR": str(folder)},
        )
    seconds = ended.result["seconds"]
    first, last = seconds[str(SHORT)], seconds[str(LONG)]
    return {
        **_process(peer.title, ended),
        f"{peer.title}: {SHORT}": ("second", first),
        f"{peer.title}: {LONG}": ("second", last),
        f"{peer.title}: steady": ("second", (last - first) / (LONG - SHORT)),
        f"{peer.title}: right": ("integer", ended.result["right"]),
        f"{peer.title}: images": ("integer", ended.result["images"]),
    }


def _train(iterations: int) -> Values:
    with _folder() as folder:
        command = prepare(ROOT, folder, iterations)
        ended = processes.run(command, folder, {"PYTHONPATH": str(ROOT)})
    return _process(f"train {iterations}", ended)


def _import_tensorflow() -> Values:
    ended = processes.run([sys.executable, "-c", "import tensorflow"], ROOT)
    return _process("import tensorflow", ended)


def _pipeline() -> Values:
    """Run everything in a new clone that has the raw data, and then with nothing to do."""
    dvc = [str(ROOT / ".venv/bin/python"), "-m", "dvc"]
    with _folder() as folder:
        clone = folder / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        for name in filter(None, listed.stdout.split("\0")):
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
        (clone / ".venv").symlink_to(ROOT / ".venv")
        shutil.copytree(RAW, clone / "data/raw")
        values = dict(_process("dvc repro", processes.run([*dvc, "repro"], clone)))
        # The first after a change is a little slower.
        processes.run([*dvc, "status"], clone)
        ended = processes.run([*dvc, "status"], clone)
        values["dvc status"] = ("second", ended.seconds)
        ended = processes.run([*dvc, "repro"], clone)
        values["dvc repro, nothing to do"] = ("second", ended.seconds)
    return values


def _autolog(iterations: int) -> Values:
    with _folder() as folder:
        ended = processes.run(
            [
                _python(AUTOLOG),
                "-m",
                "extras.benchmarks.peers.keras_autolog",
                str(FLAT),
                str(iterations),
            ],
            folder,
            {"PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"},
        )
    return _process(f"autolog {iterations}", ended)


def _import(stage: str) -> Values:
    timed = (
        f"from time import perf_counter; start = perf_counter(); import stages.{stage}; "
        "print(perf_counter() - start)"
    )
    ended = processes.run([sys.executable, "-c", timed], ROOT)
    return {f"import stages.{stage}": ("second", ended.result)}


def _track(costs: int) -> Values:
    ended = processes.run([sys.executable, "-m", "extras.benchmarks.tracked", str(costs)], ROOT)
    return _process(f"track {costs}", ended)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        yield Path(os.path.realpath(name))
