"""Pass if every run reaches its threshold and the results are those of the current settings.

    python -m stages.gate

About a second. Exit status 0 if it passes, 1 if not, with one line for each reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from stages import results, settings
from stages.console import StageError, command_line, run, say
from stages.results import ACCURACY, Result
from stages.settings import PARAMS, Run


def misses(measured: Mapping[str, Result], runs: Mapping[str, Run]) -> Iterator[str]:
    """Say which runs do not reach their threshold, and by how much."""
    for name, wanted in runs.items():
        if name not in measured:
            yield f"{name}: no result in {ACCURACY}; run `dvc repro`"
        elif measured[name].test < wanted.min_test_accuracy:
            short_by = (wanted.min_test_accuracy - measured[name].test) * 100
            yield (
                f"{name}: test accuracy {measured[name].test:.2%} misses "
                f"{wanted.min_test_accuracy:.2%} by {short_by:.2f} points"
            )


def differences(status: Mapping[str, list[Any]]) -> Iterator[str]:
    """Say what has changed since the results were made.

    Parameters
    ----------
    status
        What ``dvc status --json`` prints.

    Yields
    ------
    str
        A stage and what of it has changed. A file that is not there has not changed: results
        can be checked in a clone without the data.
    """
    for stage, changes in status.items():
        for change in changes:
            if not isinstance(change, Mapping):
                yield f"{stage}: {change}"
                continue
            for files in change.values():
                for file, state in files.items():
                    names = state if isinstance(state, Mapping) else {"": state}
                    for name, what in names.items():
                        if what not in ("deleted", "not in cache") or name:
                            yield f"{stage}: {what} {file} {name}".rstrip()


def _dvc_status() -> Mapping[str, list[Any]]:
    command = [sys.executable, "-m", "dvc", "status", "--json", "--with-deps", "evaluate"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode:
        raise StageError(f"cannot compare with dvc.lock: {asked.stderr}")
    status: Mapping[str, list[Any]] = json.loads(asked.stdout)
    return status


def main() -> None:
    """Read settings and results, compare them, and print each run's margin."""
    command_line("gate", __doc__).parse_args()
    chosen = settings.load()
    measured = results.load(ACCURACY)
    changes = list(differences(_dvc_status()))
    if changes:
        raise StageError(
            f"{ACCURACY} is not of the current {PARAMS} and code: {', '.join(changes)}; "
            "run `dvc repro`"
        )
    if missed := list(misses(measured, chosen.runs)):
        raise StageError("; ".join(missed))
    for name, wanted in chosen.runs.items():
        margin = (measured[name].test - wanted.min_test_accuracy) * 100
        say(f"{name}: test accuracy {measured[name].test:.2%}, {margin:.2f} points to spare")


if __name__ == "__main__":
    run(main)
