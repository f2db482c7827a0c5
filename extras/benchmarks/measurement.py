"""Measure a command: its time, its memory, and the numbers that it prints as JSON."""

import json
import os
import platform
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.metadata import distributions
from pathlib import Path
from time import perf_counter, strftime

from extras.benchmarks.places import ROOT
from stages.track.provenance import processor
from support.command_line import CommandError

# Prefixes of variables that a shell may have set, and that would make a program faster or slower.
SETTINGS = (
    "DVC_", "JAX_", "KERAS_", "MAKE", "MKL_", "MLFLOW_", "OMP_", "ONEDNN_", "OPENBLAS_", "PYTHON",
    "TF_", "TORCH", "XLA_",
)  # fmt: skip
TIMEOUT_SECONDS = 600
PACKAGES = ("dvc", "jax", "keras", "mlflow", "numpy", "tensorflow", "tensorflow-cpu", "torch", "uv")


def measure(command: str, folder: Path) -> dict[str, float]:
    """Run a command without the settings of the caller's shell, and end what it leaves running.

    Returns ``seconds``; what the command printed as JSON; and ``peak_bytes``, the memory of its
    largest process, unless it is less than that of this process, which a new process inherits.
    Raises `CommandError` with the end of what it printed if its exit status is not 0.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    arguments = ["timeout", str(TIMEOUT_SECONDS), *shlex.split(command)]
    # Not a pipe, which a process that stays in the background would keep open.
    with tempfile.TemporaryFile("w+") as output:
        start = perf_counter()
        process = subprocess.Popen(
            arguments, cwd=folder, env=kept, start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=output, stderr=output,
        )  # fmt: skip
        try:
            _, status, usage = os.wait4(process.pid, 0)
            seconds = perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        lines = output.read().strip().splitlines()
    if process.returncode:
        raise CommandError(f"exit status {process.returncode}: {' '.join(lines[-3:])}")
    measured: dict[str, float] = {"seconds": seconds}
    if usage.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
        measured["peak_bytes"] = usage.ru_maxrss * 1024
    for line in lines:
        if line.startswith("{"):
            measured |= json.loads(line)
    return measured


def machine() -> dict[str, str]:
    """Return the processor, the date, and the versions of packages, also those of baselines."""
    baselines = ROOT.glob(".venv-bench/lib/python*/site-packages")
    installed = distributions(path=[*sys.path, *map(str, baselines)])
    versions = {one.name.replace("_", "-"): one.version for one in installed}
    return {
        "processor": f"{processor()}, {len(os.sched_getaffinity(0))} threads",
        "date": strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        **{name: versions[name] for name in PACKAGES if name in versions},
    }
