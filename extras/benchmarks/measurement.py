"""Measure a command, and keep what was measured in a file of pyperf's.

pyperf measures one thing after the other. On a machine that others use as well, only what is
measured in turn can be compared, so the rounds are the project's own.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

import pyperf

from common.command_line import CommandError
from extras.benchmarks.places import ROOT

# What a shell may have set, and would make one of the programs faster or slower.
SETTINGS = (
    "DVC_", "JAX_", "KERAS_", "MKL_", "MLFLOW_", "OMP_", "ONEDNN_", "OPENBLAS_", "PYTHON", "TF_",
    "TORCH", "XLA_",
)  # fmt: skip
TIMEOUT_SECONDS = 1800
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
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    with tempfile.TemporaryFile("w+") as output:
        # `timeout` also ends what the command has started.
        limited = ["timeout", str(TIMEOUT_SECONDS), *shlex.split(command)]
        start = time.perf_counter()
        process = subprocess.Popen(
            limited, cwd=folder, env=kept, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.terminate()
            raise
        seconds = time.perf_counter() - start
        output.seek(0)
        printed = output.read().strip()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        last_lines = " ".join(printed.splitlines()[-3:])
        raise CommandError(f"exit status {process.returncode}: {last_lines}")
    measured = {"seconds": seconds, "peak_bytes": usage.ru_maxrss * 1024}  # Linux counts in KiB
    for line in printed.splitlines():
        if line.startswith("{"):
            measured |= json.loads(line)
    return measured


def machine() -> dict[str, str]:
    """Return the processor, and the versions here and in the environment of the baselines."""
    collected = pyperf.Benchmark([pyperf.Run([1.0], metadata={"name": "none"})]).get_metadata()
    described = {name: str(collected[name]) for name in MACHINE if name in collected}
    baselines = (ROOT / ".venv-bench/lib").glob("python*/site-packages")
    installed = distributions(path=[*sys.path, *map(str, baselines)])
    versions = {found.name: found.version for found in installed if found.name in PACKAGES}
    return described | dict(sorted(versions.items()))


def add(path: Path, case: str, measured: Mapping[str, float], machine: Mapping[str, str]) -> None:
    """Add what was measured of a case to a file: one benchmark per value, one run per round."""
    benchmarks = []
    for name, value in measured.items():
        unit = {"bytes": "byte", "correct": "integer"}.get(name.rpartition("_")[2], "second")
        metadata = {"name": f"{case}: {name}", "unit": unit, **machine}
        run = pyperf.Run([float(value)], metadata=metadata, collect_metadata=False)
        benchmarks.append(pyperf.Benchmark([run]))
    pyperf.add_runs(str(path), pyperf.BenchmarkSuite(benchmarks))
