"""Measure a command: its time, its memory, and the numbers that it prints as JSON."""

import json
import os
import re
import resource
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

from support.command_line import CommandError

ROOT = Path(__file__).parents[2]
# Variables that a shell may have set, and that would make a program faster or slower.
SETTINGS = re.compile("DVC|JAX|KERAS|MAKE|MKL|MLFLOW|OMP|ONEDNN|OPENBLAS|PYTHON|TF|TORCH|XLA")
TIMEOUT_SECONDS = 600


def measure(command: str, folder: Path, iterations: Mapping[str, int]) -> dict[str, float]:
    """Run a shell command of cases.yaml without the settings of the caller's shell.

    Returns ``seconds``; what the command printed as JSON; and ``peak_bytes``, the memory of its
    largest process, unless it is less than that of this process, which a new process inherits.
    Raises `CommandError` with the end of what it printed if its exit status is not 0.
    """
    variables = {name: os.environ[name] for name in os.environ if not SETTINGS.match(name)}
    variables |= {"root": str(ROOT), "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"}
    variables |= {name: str(number) for name, number in iterations.items()}
    shell = ("timeout", str(TIMEOUT_SECONDS), "sh", "-ec", command)
    # Not a pipe, which a process that stays in the background would keep open.
    with tempfile.TemporaryFile("w+") as output:
        start = perf_counter()
        process = subprocess.Popen(shell, cwd=folder, env=variables, stdout=output, stderr=output)
        try:
            _, status, usage = os.wait4(process.pid, 0)
            seconds = perf_counter() - start
        finally:
            process.terminate()  # on Ctrl+C
        output.seek(0)
        lines = output.read().splitlines()
    if status:
        last = " ".join(lines[-3:])
        raise CommandError(f"exit status {os.waitstatus_to_exitcode(status)}: {last}")
    measured: dict[str, float] = {"seconds": seconds}
    if usage.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
        measured["peak_bytes"] = usage.ru_maxrss * 1024
    for line in lines:
        if line.startswith("{"):
            measured |= json.loads(line)
    return measured
