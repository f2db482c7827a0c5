"""Pass if every run reaches its threshold, is of the kind of its reference, and is up to date.

    python -m commands.gate

The reference is what trainings with many seeds have reached; a run that is far from it fails, also
one that is too good. About a second. Exit status 0 if it passes, 1 if not, with the reasons.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common import results
from common.command_line import CommandError, InputError, argument_parser, echo, run
from common.config import PARAMS, Config, RunParams, load_config
from common.results import ACCURACY, Result
from extras.seeds import reference
from extras.seeds.reference import REFERENCE, Reference

# Where files are that DVC keeps: a clone may be without them.
DATA = ("data", "models", "costs", "plots")


def misses(measured: Mapping[str, Result], runs: Mapping[str, RunParams]) -> Iterator[str]:
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
        can be checked in a clone without the data. One that is there, but not in DVC's cache
        under the digest of dvc.lock, is another, or the digest is wrong.
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
                        missing = what in ("deleted", "not in cache") and not Path(file).exists()
                        if name or not missing or Path(file).parts[0] not in DATA:
                            yield f"{stage}: {what} {file} {name}".rstrip()


def margin(name: str, measured: Result, wanted: RunParams, known: Reference | None) -> str:
    """Say how far a run is above its threshold, in points and in deviations over the seeds."""
    above = measured.test - wanted.min_test_accuracy
    line = f"{name}: test accuracy {measured.test:.2%}, {above * 100:.2f} points to spare"
    if known and (deviation := known.runs[name].accuracies["test"].deviation):
        line += f", {above / deviation:.1f} deviations over {known.seeds} seeds"
    return line


def _dvc_status() -> Mapping[str, list[Any]]:
    """Ask DVC without its memory, for it would take a file for the one that it has seen before.

    So every file is read, and a byte that a disk has changed is found.
    """
    # Here, and not above: what is wrong with the settings is said before this second is spent.
    from dvc.lock import LockError
    from dvc.repo import Repo

    with tempfile.TemporaryDirectory() as memory:
        try:
            with Repo(config={"core": {"site_cache_dir": memory}}) as repo:
                status: Mapping[str, list[Any]] = repo.status(["evaluate"], with_deps=True)
        except LockError:
            raise CommandError(
                "another DVC command is at work here; run the gate again when it has ended"
            ) from None
        except Exception as error:  # noqa: BLE001 - a damaged dvc.lock makes DVC raise anything
            raise CommandError(
                f"cannot compare with dvc.lock: {error or type(error).__name__}; if it is "
                "damaged, `git checkout dvc.lock` brings the committed one back"
            ) from None
    return status


def _costs(run: str) -> NDArray[np.float32] | None:
    """Read a run's costs, if they are at hand."""
    path = Path(f"costs/{run}.csv")
    try:
        return np.loadtxt(path, np.float32, delimiter=",", skiprows=1, ndmin=2)[:, 1]
    except FileNotFoundError:
        return None
    except (ValueError, IndexError) as error:
        raise CommandError(f"{path}: damaged ({error}); `dvc repro` makes it anew") from None


def _reference(config: Config) -> Reference | None:
    """Read the reference; say why where there is none for these settings."""
    try:
        known = reference.load(REFERENCE)
    except InputError as error:
        echo(f"thresholds alone are checked: {error}")
        return None
    if known.digest != reference.digest(config):
        echo(
            f"thresholds alone are checked: {REFERENCE} is of other settings; "
            "`make replicates` makes one for these"
        )
        return None
    if not known.fits(config.runs):
        echo(f"thresholds alone are checked: {REFERENCE} is damaged; `git checkout {REFERENCE}`")
        return None
    return known


def main() -> None:
    """Read settings, results and reference, compare them, and print each run's margin."""
    argument_parser("commands.gate", __doc__).parse_args()
    config = load_config()
    measured = results.load(ACCURACY)
    changes = list(differences(_dvc_status()))
    if changes:
        raise CommandError(
            f"{ACCURACY} is not of the current {PARAMS} and code: {', '.join(changes)}; "
            "run `dvc repro`, or `make repair` if that finds nothing to do"
        )
    known = _reference(config)
    faults = list(misses(measured, config.runs))
    for name, usual in known.runs.items() if known else ():
        if name in measured:
            found = reference.outliers(usual, measured[name], _costs(name))
            faults += [f"{name}: {fault}" for fault in found]
    if faults:
        raise CommandError("; ".join(faults))
    for name, wanted in config.runs.items():
        echo(margin(name, measured[name], wanted, known))


if __name__ == "__main__":
    run(main)
