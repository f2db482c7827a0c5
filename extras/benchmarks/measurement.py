"""Measure a command, and record the result in a pyperf file.

pyperf measures one benchmark after the other. On a shared machine, only cases that are measured in
turn are comparable, so the rounds are the project's own.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

import pyperf

from common.command_line import CommandError
from extras.benchmarks.places import ROOT

# Prefixes of variables that a shell may have set, and that would make a program faster or slower.
SETTINGS = (
    "DVC_", "JAX_", "KERAS_", "MKL_", "MLFLOW_", "OMP_", "ONEDNN_", "OPENBLAS_", "PYTHON", "TF_",
    "TORCH", "XLA_",
)  # fmt: skip
TIMEOUT_SECONDS = 1800
PROBE = Path(__file__).with_name("probe.py")
MACHINE = ("cpu_model_name", "cpu_count", "python_version")  # as pyperf calls them
PACKAGES = ("dvc", "jax", "keras", "mlflow", "numpy", "scikit-learn", "tensorflow", "torch", "uv")


def measure(command: str, folder: Path) -> dict[str, float]:
    """Run a command, without the settings of the caller's shell.

    Returns
    -------
    dict
        ``seconds``; ``peak_bytes``, the memory of its largest process; and what it printed as a
        line of JSON, if it did.

    Raises
    ------
    CommandError
        If its exit status is not 0; with the end of what it printed.
    """
    status, lines = _run(command, folder)
    if status:
        raise CommandError(f"exit status {status}: {' '.join(lines[-3:])}")
    measured: dict[str, float] = {}
    for line in lines:
        if line.startswith("{"):
            measured |= json.loads(line)
    return measured


def _run(command: str, folder: Path) -> tuple[int, list[str]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    # `timeout` also ends what the command has started.
    probe = ["timeout", str(TIMEOUT_SECONDS), sys.executable, "-I", str(PROBE)]
    arguments = [*probe, *shlex.split(command)]
    # Not a pipe, which a process that stays in the background would keep open.
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            arguments, cwd=folder, env=kept, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        output.seek(0)
        return status, output.read().strip().splitlines()


def machine() -> dict[str, str]:
    """Return the processor, and the versions here and in the environment of the baselines."""
    collected = pyperf.Benchmark([pyperf.Run([1.0], metadata={"name": "none"})]).get_metadata()
    described = {name: str(collected[name]) for name in MACHINE if name in collected}
    baselines = (ROOT / ".venv-bench/lib").glob("python*/site-packages")
    installed = distributions(path=[*sys.path, *map(str, baselines)])
    versions = {found.name: found.version for found in installed if found.name in PACKAGES}
    return described | dict(sorted(versions.items()))


def add(path: Path, case: str, measured: Mapping[str, float], machine: Mapping[str, str]) -> None:
    """Add the measurements of a case to a file: one benchmark per value, one run per round."""
    benchmarks = []
    for name, value in measured.items():
        unit = {"bytes": "byte", "correct": "integer"}.get(name.rpartition("_")[2], "second")
        metadata = {"name": f"{case}: {name}", "unit": unit, **machine}
        run = pyperf.Run([float(value)], metadata=metadata, collect_metadata=False)
        benchmarks.append(pyperf.Benchmark([run]))
    pyperf.add_runs(str(path), pyperf.BenchmarkSuite(benchmarks))
