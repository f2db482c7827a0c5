"""Check the results: every run reaches its threshold, and all files are up to date.

    python -m commands.gate

Extras add checks of their own. A few seconds. Exit status 0 if everything passes, otherwise 1 with
the reasons in one line.
"""

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from commands.hooks import call_hooks
from common.config import PARAMS, Config, RunParams, load_config
from common.results import ACCURACY, Result, load_results
from support.command_line import CommandError, argument_parser, echo, run

# Folders of files that DVC keeps; a clone may lack them.
DVC_FOLDERS = ("data", "models", "costs", "plots")


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

    `status` is what ``dvc status --json`` prints. Missing data are no change, because a clone may
    lack them; a file that is there, but not in DVC's cache under its checksum in dvc.lock, is one.
    """
    for stage, entries in status.items():
        for entry in entries:
            if not isinstance(entry, Mapping):
                yield f"{stage}: {entry}"
                continue
            for file, state in chain.from_iterable(files.items() for files in entry.values()):
                if isinstance(state, Mapping):
                    for name, change in state.items():
                        yield f"{stage}: {change} {file} {name}"
                elif not _is_left_out(file, state):
                    yield f"{stage}: {state} {file}"


def _is_left_out(file: str, change: str) -> bool:
    path = Path(file)
    is_missing = change in ("deleted", "not in cache") and not path.exists()
    return is_missing and path.parts[0] in DVC_FOLDERS


def _dvc_status() -> Mapping[str, list[Any]]:
    """Return DVC's status with an empty state database, so that every file is read again.

    DVC would otherwise not notice a byte that a disk has changed.
    """
    # Imported here because it takes a second: wrong settings are reported first.
    from dvc.lock import LockError
    from dvc.repo import Repo

    # DVC's libraries warn about each other, and PYTHONWARNINGS may turn warnings into errors.
    with tempfile.TemporaryDirectory() as state, warnings.catch_warnings(action="ignore"):
        try:
            with Repo(config={"core": {"site_cache_dir": state}}) as repo:
                status: Mapping[str, list[Any]] = repo.status(["evaluate"], with_deps=True)
        except LockError:
            raise CommandError(
                "another DVC command is running here, or this file system has no locks; "
                "run the gate again when it has ended"
            ) from None
        except Exception as error:  # noqa: BLE001 - a damaged dvc.lock makes DVC raise anything
            raise CommandError(
                f"cannot compare with dvc.lock: {error or type(error).__name__}; if it is "
                "damaged, `git checkout dvc.lock` brings the committed one back"
            ) from None
    return status


def check(config: Config, results: Mapping[str, Result]) -> None:
    """Raise CommandError if files are out of date, or a threshold or an extra's check fails."""
    if outdated := ", ".join(changes(_dvc_status())):
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
    """Read the settings and the results, check them, and print the margin of each run."""
    argument_parser("commands.gate", __doc__).parse_args()
    config = load_config()
    results = load_results(ACCURACY)
    check(config, results)
    for name, params in config.runs.items():
        margin = (results[name].test - params.min_test_accuracy) * 100
        echo(f"{name}: test accuracy {results[name].test:.2%}, {margin:.2f} points to spare")


if __name__ == "__main__":
    run(main)
