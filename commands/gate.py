"""Check the results: the accuracies are up to date, and every run reaches its threshold.

    python -m commands.gate

Extras add checks of their own. A few seconds. Exit status 0 if everything passes, otherwise 1 with
the reasons in one line.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from commands.hooks import call_hooks
from common.config import PARAMS, Config, RunParams, load_config
from common.results import ACCURACY, Result, load_results
from support.command_line import CommandError, argument_parser, echo, run

DVC_STATUS = [sys.executable, "-m", "dvc", "status", "--json", "--with-deps", "evaluate"]
# Files in these folders are DVC's; a clone may lack them.
DVC_FOLDERS = ("data", "models", "costs", "curves", "plots")


def missed_thresholds(
    results: Mapping[str, Result], runs: Mapping[str, RunParams]
) -> Iterator[str]:
    """Report each run that does not reach its threshold, and by how much."""
    for name, params in runs.items():
        if results[name].test < params.min_test_accuracy:
            difference = (params.min_test_accuracy - results[name].test) * 100
            yield (
                f"{name}: test accuracy {results[name].test:.2%} misses "
                f"{params.min_test_accuracy:.2%} by {difference:.2f} points"
            )


def changes(status: Mapping[str, list[Any]]) -> Iterator[str]:
    """Report what has changed since the results were made.

    `status` is what ``dvc status --json`` prints: for each stage "changed command", or mappings
    such as ``{"changed deps": {"common/model.py": "modified"}}``. Missing data are no change,
    because a clone may lack them.
    """
    for stage, entries in status.items():
        for entry in entries:
            if isinstance(entry, str):
                yield f"{stage}: {entry}"
                continue
            for path, change in chain.from_iterable(files.items() for files in entry.values()):
                if isinstance(change, Mapping):  # settings, by their names
                    yield from (f"{stage}: {how} {path} {name}" for name, how in change.items())
                elif not _is_left_out(Path(path), change):
                    yield f"{stage}: {change} {path}"


def _is_left_out(path: Path, change: str) -> bool:
    is_missing = change in ("deleted", "not in cache") and not path.exists()
    return is_missing and path.parts[0] in DVC_FOLDERS


def dvc_status() -> Any:
    """Return DVC's status with an empty state, so that it reads every file again.

    Otherwise it would not notice a byte that a disk has changed. Raises CommandError with DVC's
    own message if DVC fails.
    """
    with tempfile.TemporaryDirectory() as state:
        completed = subprocess.run(
            DVC_STATUS,
            env=os.environ | {"DVC_SITE_CACHE_DIR": state},
            capture_output=True,
            text=True,
            check=False,
        )
    if completed.returncode:
        raise CommandError(f"`dvc status`: {completed.stderr.removeprefix('ERROR: ')}")
    return json.loads(completed.stdout)


def check(config: Config, results: Mapping[str, Result]) -> None:
    """Raise CommandError if files are out of date, or a threshold or an extra's check fails."""
    if outdated := ", ".join(changes(dvc_status())):
        raise CommandError(
            f"{ACCURACY} does not match the current {PARAMS} and code: {outdated:.1000}; "
            "run `dvc repro`, or `make repair` if that finds nothing to do"
        )
    failures = [
        *missed_thresholds(results, config.runs),
        *chain.from_iterable(call_hooks("gate_failures", config, results)),
    ]
    if failures:
        raise CommandError("; ".join(failures))


def main() -> None:
    argument_parser("commands.gate", __doc__).parse_args()
    config = load_config()
    results = load_results(ACCURACY)
    check(config, results)
    for name, params in config.runs.items():
        margin = (results[name].test - params.min_test_accuracy) * 100
        echo(f"{name}: test accuracy {results[name].test:.2%}, {margin:.2f} points to spare")


if __name__ == "__main__":
    run(main)
