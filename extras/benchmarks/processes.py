"""Run a program, and measure it from its start to its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

from common.command_line import CommandError

# Nothing of the caller's own settings may make one of the programs faster or slower.
SETTINGS = (
    "DVC_", "JAX_", "KERAS_", "MKL_", "MLFLOW_", "OMP_", "ONEDNN_", "OPENBLAS_", "PYTHON", "TF_",
    "TORCH", "XLA_",
)  # fmt: skip
LAST_WORDS = 400


@dataclass(frozen=True)
class Ended:
    """A program that has ended well.

    Attributes
    ----------
    seconds
        From its start to its end.
    peak_bytes
        The most memory that it, or any program that it waited for, had at once.
    output
        What it printed.
    """

    seconds: float
    peak_bytes: int
    output: str

    @property
    def result(self) -> Any:
        """What the last line of the output says in JSON."""
        return json.loads(self.output.strip().splitlines()[-1])


def run(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float = 900,
) -> Ended:
    """Run a program, without any settings of the caller's.

    Parameters
    ----------
    command
        The program and its arguments.
    folder
        The working directory.
    environment
        What is added to the environment.
    timeout_seconds
        After which it is ended, with all that it has started.

    Raises
    ------
    CommandError
        If its exit status is not 0; with the last of what it printed.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=kept | {"TF_CPP_MIN_LOG_LEVEL": "3"} | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        late = Timer(timeout_seconds, _end, [child.pid])
        late.start()
        try:
            # Unlike Popen.wait it tells the memory.
            _, status, used = os.wait4(child.pid, 0)
        except BaseException:
            _end(child.pid)
            raise
        finally:
            late.cancel()
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        printed = out.read().decode(errors="replace")
        if child.returncode:
            words = (err.read().decode(errors="replace") or printed).strip()[-LAST_WORDS:]
            raise CommandError(f"{' '.join(command)}: exit status {child.returncode}: {words}")
    # Linux counts in KiB.
    return Ended(seconds, used.ru_maxrss * 1024, printed)


def _end(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
