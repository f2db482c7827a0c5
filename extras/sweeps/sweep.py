"""Search for the best settings: on all processors of this machine, or on a cluster of many.

    python -m extras.sweeps.sweep extras/sweeps/learning_rate.yaml
    python -m extras.sweeps.sweep extras/sweeps/learning_rate.yaml --address 10.0.0.1:6379
    python -m extras.sweeps.sweep extras/sweeps/learning_rate.yaml --resume

A sweep file says which settings of params.yaml to search and how; docs/scaling.md explains it. The
best is best on the validation images: the test images are not even read. Results are written into
extras/sweeps/learning_rate: results.csv, a row a trial, and sweep.png. The last line is the command that
makes the best settings an ordinary run of the pipeline: the trial with the seed of params.yaml.

What has finished is kept when this is interrupted, and --resume goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import math
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from common import arrays
from common.arrays import Split
from common.atomic import atomic_write, sha256
from common.command_line import (
    CommandError,
    InputError,
    argument_parser,
    echo,
    redact_credentials,
    run,
)
from common.config import PARAMS, Config, load_config
from extras.sweeps import cluster, search_space
from extras.sweeps.cluster import LOOPBACK
from extras.sweeps.search_space import SEED, Sweep
from stages.track import location as store

FLAT = Path("data/flat")
# Those that a trial sees.
SPLITS = ("train", "validation")
STATE = Path(".cache/sweeps")
FINISHED = "finished"
# The best settings that are printed; all are in results.csv.
SHOWN = 10


def check_tracking(address: str | None, machines: Collection[str], tracking: str) -> None:
    """See that every machine of a cluster can write to the MLflow store.

    Parameters
    ----------
    address
        Of the cluster; None for this machine.
    machines
        The names of those of its machines that are known.
    tracking
        Of the store.

    Raises
    ------
    InputError
        If there are other machines, and the store is a file or a server on loopback.
    """
    parts = urlsplit(tracking)
    near = parts.scheme in ("sqlite", "file", "") or parts.hostname in LOOPBACK
    alone = cluster.is_here(address) and {socket.gethostname()}.issuperset(machines)
    if near and not alone:
        raise InputError(
            f"--address {address}: other machines cannot write to {redact_credentials(tracking)}; start "
            "`mlflow server` where all of them reach it, and set MLFLOW_TRACKING_URI to its address"
        )


def summary(table: pd.DataFrame, sweep: Sweep) -> pd.DataFrame:
    """Give each setting of which all seeds have finished, the best first.

    Parameters
    ----------
    table
        A row a trial.
    sweep
        What was searched.

    Returns
    -------
    DataFrame
        The parameters, and the mean (``validation``) and the standard ``deviation`` of the
        validation accuracy over the seeds; a deviation is NaN where there is one seed alone.
    """
    finished = table[table["status"] == FINISHED].astype({"validation": float})
    grouped = finished.groupby(list(sweep.parameters), sort=False)
    found = grouped.agg(
        validation=("validation", "mean"), deviation=("validation", "std"), seeds=(SEED, "nunique")
    ).reset_index()
    whole = found[found["seeds"] == sweep.seeds].drop(columns="seeds")
    # Stable, so that among equals the first that was drawn is the best.
    return whole.sort_values("validation", ascending=False, kind="stable", ignore_index=True)


def _made_of(sweep: Sweep, config: Config, data: Mapping[str, str]) -> str:
    """Give a digest of all that the trials follow from."""
    described = {
        "sweep": sweep.model_dump(),
        "dataset": config.dataset_name,
        "train": config.train.model_dump(),
        "iterations": config.run(sweep.run).iterations,
        "data": data,
    }
    return sha256(json.dumps(described, sort_keys=True).encode())


def _load(config: Config) -> tuple[dict[str, Split], dict[str, str]]:
    """Read the arrays, with the MD5 of each, by which DVC knows them."""
    parts = {part: arrays.load_split(FLAT / f"{part}.npz") for part in SPLITS}
    if len(parts["validation"]) != config.flatten.validation_examples:
        raise InputError(f"{FLAT}: not made with the settings in {PARAMS}; run `dvc repro`")
    return parts, {
        part: hashlib.md5((FLAT / f"{part}.npz").read_bytes(), usedforsecurity=False).hexdigest()
        for part in SPLITS
    }


def _before(note: Path, made_of: str, path: Path) -> str:
    """Give the MLflow run of the sweep to go on with."""
    with suppress(FileNotFoundError, ValueError, KeyError):
        begun = json.loads(note.read_bytes())
        if begun["made_of"] != made_of:
            raise InputError(
                f"{path}: --resume goes on with what was begun, but the sweep, {PARAMS} or the "
                "data have changed since; leave it out to begin anew"
            )
        return str(begun["run"])
    raise InputError(f"{path}: nothing to resume; leave --resume out to begin")


def _write(
    folder: Path, table: pd.DataFrame, ranking: pd.DataFrame, sweep: Sweep, name: str
) -> list[Path]:
    """Write the results and, where a setting is finished, their picture."""
    # Here, and not above: matplotlib takes a second to start.
    from stages.report import plots

    contents = {"results.csv": table.to_csv(index=False).encode()}
    if len(ranking):
        scales = {
            name: "log" if domain.log_uniform else "linear" if domain.uniform else "category"
            for name, domain in sweep.parameters.items()
        }
        title = f"{name}: {len(ranking)} settings of {sweep.run}, {sweep.seeds} seeds each"
        contents["sweep.png"] = plots.sweep(title, ranking, scales)
    paths = [folder / file for file in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        atomic_write(path, content)
    return paths


def _params(sweep: Sweep) -> dict[str, Any]:
    """Give what MLflow says of the sweep."""
    return {
        **sweep.model_dump(exclude={"parameters", "resources"}),
        **sweep.resources.model_dump(),
        **{
            name: domain.model_dump(exclude_unset=True) for name, domain in sweep.parameters.items()
        },
    }


def _first(ranking: pd.DataFrame) -> dict[str, Any]:
    """Give the best settings and what was measured; each of its own type, which a row is not."""
    return {str(name): ranking[name].iloc[0] for name in ranking} if len(ranking) else {}


def _report(table: pd.DataFrame, ranking: pd.DataFrame, sweep: Sweep) -> Iterator[str]:
    """Lay the best settings out, and say how many trials did not get to their end."""
    accuracies: dict[str, Callable[[float], str]] = {
        "validation": "{:.2%}".format,
        "deviation": lambda value: "" if math.isnan(value) else f"{value:.2%}",
    }
    shown = ranking.head(SHOWN).astype(dict.fromkeys(sweep.parameters, str))
    if len(shown):
        yield from shown.to_string(index=False, formatters=accuracies).splitlines()
    for status, count in table["status"].value_counts().items():
        yield f"{count} of {sweep.trials * sweep.seeds} trials {status}"


def main() -> None:
    """Read arguments, settings and arrays; run the trials; write and print what came of them."""
    parser = argument_parser("extras.sweeps.sweep", __doc__)
    parser.add_argument("sweep", type=Path, help="the sweep file: extras/sweeps/learning_rate.yaml")
    parser.add_argument("--address", help="of a Ray cluster; without it, this machine alone")
    parser.add_argument("--resume", action="store_true", help="go on where a sweep was left")
    arguments = parser.parse_args()
    config = load_config()
    sweep = search_space.load(arguments.sweep, config)
    parts, data = _load(config)
    root = Path.cwd()
    check_tracking(arguments.address, (), store.address(root))
    name = arguments.sweep.stem
    note = STATE / f"{name}.json"
    made_of = _made_of(sweep, config, data)
    before = _before(note, made_of, arguments.sweep) if arguments.resume else None

    with cluster.connected(arguments.address):
        check_tracking(arguments.address, cluster.machines(), store.address(root))
        # Here, and not above: what is wrong is said before Ray and MLflow have started.
        from extras.sweeps import trials
        from stages.track import mlflow_store as tracking

        tracked = tracking.begin_sweep(
            root, name, config.dataset_name, data, params=_params(sweep), before=before
        )
        atomic_write(note, json.dumps({"made_of": made_of, "run": tracked.identifier}).encode())
        status, files = "KILLED", [arguments.sweep]
        best: dict[str, Any] = {}
        try:
            task = trials.Task(sweep, config, tracked, trials.versions())
            table, whole = trials.run(task, parts, STATE / name, resume=arguments.resume)
            ranking = summary(table, sweep)
            files += _write(arguments.sweep.with_suffix(""), table, ranking, sweep, name)
            best = _first(ranking)
            status = "FINISHED" if whole else "KILLED"
        finally:
            tracked.end(status, best, files)
    for line in _report(table, ranking, sweep):
        echo(line)
    if not whole:
        echo(f"interrupted; `python -m extras.sweeps.sweep {arguments.sweep} --resume` goes on")
        raise KeyboardInterrupt
    if not best:
        raise CommandError(f"{arguments.sweep}: no setting was trained to its end with every seed")
    echo(sweep.experiment(best))


if __name__ == "__main__":
    run(main)
