"""The trials of a sweep on Ray Tune: which there are, who trains them, and what came of each.

Ray draws the settings, places the workers, stops early, tries again what a worker that was killed
left, and keeps the state that a sweep goes on from. A worker imports TensorFlow once, gets the
arrays once, and compiles a program once a shape; then a trial costs its iterations.
"""

from __future__ import annotations

import math
import os
import shutil
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from common import model as inference
from common.arrays import Split
from common.command_line import CommandError, echo
from common.config import Config, TrainParams
from extras.sweeps import cluster
from extras.sweeps.search_space import SEED, Domain, Sweep, written
from stages.track import provenance

# Ray Tune reads these. It would write three files a trial, which nobody reads, and tables.
os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
os.environ["RAY_AIR_NEW_OUTPUT"] = "0"

from ray import get_runtime_context, tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import BasicVariantGenerator

if TYPE_CHECKING:
    from stages.track.mlflow_store import SweepRun, TrialRun

# Compiled programs that a worker keeps, each of its own shape of network and batches.
PROGRAMS = 4
MEBIBYTE = 2**20
# What a trial reports, beside how it ended.
MEASURED = ("iterations", "cost", "validation")


@dataclass(frozen=True)
class Task:
    """What a worker has to know beside the images.

    Attributes
    ----------
    sweep, config
        The sweep, and the settings that it varies.
    tracked
        The sweep's MLflow run.
    versions
        What the results follow from beside the settings: a worker must have the same.
    """

    sweep: Sweep
    config: Config
    tracked: SweepRun
    versions: Mapping[str, str]


def versions() -> dict[str, str]:
    """Give the versions of the libraries that a result follows from."""
    machine = provenance.machine()
    return {name: machine[f"version.{name}"] for name in ("tensorflow", "numpy")}


def number(trial_id: str) -> int:
    """Give the place of a trial in the sweep, from 1 on: Ray counts them in its identifiers."""
    return int(trial_id.rpartition("_")[2]) + 1


class Worker(tune.Trainable):  # type: ignore[misc]
    """Trains one trial after the other; a step is as long as until the next validation."""

    def setup(self, config: dict[str, Any], task: Task, train: Split, validation: Split) -> None:
        """Take what all trials share, and begin the first."""
        if task.versions != versions():
            raise CommandError(f"this node has {versions()}, the sweep needs {task.versions}")
        self._cores = cluster.pinned(task.sweep.resources.cpus)
        self._machine = provenance.machine() | {"node": get_runtime_context().get_node_id()}
        self._task = task
        self._train, self._validation = train, validation
        self._programs: OrderedDict[tuple[Any, ...], Trainer] = OrderedDict()
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin another trial."""
        if not self._ended:  # the scheduler has stopped it
            self._run.end("KILLED")
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train until the next validation."""
        count = min(self._task.sweep.validate_every_iterations, self._iterations - self._done)
        costs = np.concatenate(list(self._training.train(count)))
        diverged = not np.isfinite(costs).all()
        validation = math.nan if diverged else self._accuracy()
        self._run.log(self._done, costs, validation, self._iterations)
        self._done += count
        self._ended = bool(diverged) or self._done == self._iterations
        if self._ended:
            self._run.end("FAILED" if diverged else "FINISHED")
        return {
            "iterations": self._done,
            "cost": str(costs[-1]),
            "validation": validation,
            "status": "failed" if diverged else "finished" if self._ended else "stopped",
            tune.result.DONE: self._ended,
        }

    def _begin(self, drawn: dict[str, Any]) -> None:

        task = self._task
        values = task.sweep.values(drawn)
        settings, self._iterations = task.sweep.applied(task.config, values)
        self._done, self._ended = 0, False
        self._training: Trainer = self._program(settings)
        params = {"dataset": task.config.dataset_name, "iterations": self._iterations}
        self._run: TrialRun = task.tracked.add(
            number(self.trial_id), params | settings.model_dump(), self._machine
        )

    def _program(self, settings: TrainParams) -> Trainer:
        """Give what trains a shape of network and batches, compiled once; it begins anew."""
        from stages.train.network import Trainer

        shape = (settings.hidden_units, settings.batch_size)
        if shape in self._programs:
            self._programs.move_to_end(shape)
            self._programs[shape].reset(settings)
        else:
            if len(self._programs) == PROGRAMS:
                self._programs.popitem(last=False)
            classes = len(self._task.config.dataset.classes)
            self._programs[shape] = Trainer(settings, self._train, classes)
        return self._programs[shape]

    def _accuracy(self) -> float:
        examples = self._validation
        return inference.accuracy(self._training.weights(), examples.images, examples.labels)


class Progress(tune.Callback):  # type: ignore[misc]
    """Says a line a trial that has ended."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep

    def on_trial_complete(self, *, trials: list[Trial], trial: Trial, **_: object) -> None:
        """Say what came of a trial."""
        result = trial.last_result
        measured = f"validation {result['validation']:.2%}"
        if result["status"] == "failed":
            measured = f"diverged, the batch cost is {result['cost']}"
        self._say(trials, trial, f"{result['iterations']:,} iterations, {measured}")

    def on_trial_error(self, *, trials: list[Trial], trial: Trial, **_: object) -> None:
        """Say that a trial has failed too often."""
        lines = str(trial.get_pickled_error() or "its process was killed").strip().splitlines()
        self._say(trials, trial, f"failed {cluster.ATTEMPTS} times: {lines[-1]:.200}")

    def _say(self, trials: list[Trial], trial: Trial, what: str) -> None:
        # Ray counts this one among those that run, until all have been told.
        ended = 1 + sum(one.is_finished() for one in trials if one is not trial)
        values = self._sweep.values(trial.config).items()
        shown = ", ".join(f"{name.rpartition('.')[2]} {value}" for name, value in values)
        echo(f"{ended} of {self._sweep.trials * self._sweep.seeds}: {shown}: {what}")


def _domain(domain: Domain) -> Any:
    """Say in Ray's words where values come from."""
    if domain.grid:
        return tune.grid_search(list(domain.grid))
    if domain.choice:
        return tune.choice(list(domain.choice))
    low, high = domain.range or (0, 0)
    if isinstance(low, int) and isinstance(high, int):
        return (tune.randint if domain.uniform else tune.lograndint)(low, high + 1)
    return (tune.uniform if domain.uniform else tune.loguniform)(low, high)


def _tuner(task: Task, parts: Mapping[str, Split], state: Path, *, resume: bool) -> tune.Tuner:
    """Say in Ray's words what to search, and how."""
    sweep = task.sweep
    trainable = tune.with_resources(
        tune.with_parameters(
            Worker, task=task, train=parts["train"], validation=parts["validation"]
        ),
        {"cpu": sweep.resources.cpus, "memory": sweep.resources.memory_megabytes * MEBIBYTE},
    )
    if resume:
        return tune.Tuner.restore(str(state.resolve()), trainable, restart_errored=True)
    first = task.config.train.seed
    space = {name: _domain(domain) for name, domain in sweep.parameters.items()}
    if SEED not in space:
        space[SEED] = tune.grid_search(list(range(first, first + sweep.seeds)))
    scheduler = (
        ASHAScheduler(
            time_attr="iterations",
            metric="validation",
            mode="max",
            grace_period=sweep.validate_every_iterations,
            max_t=task.config.run(sweep.run).iterations,
        )
        if sweep.scheduler == "asha"
        else None
    )
    return tune.Tuner(
        trainable,
        param_space=space,
        tune_config=tune.TuneConfig(
            num_samples=sweep.trials // sweep.grid_points,
            # The same draws for each seed, and for each point of the grid.
            search_alg=BasicVariantGenerator(
                constant_grid_search=True, random_state=sweep.draw_seed
            ),
            scheduler=scheduler,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name=state.name,
            storage_path=str(state.resolve().parent),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=cluster.ATTEMPTS - 1),
            callbacks=[Progress(sweep)],
            verbose=0,
        ),
    )


def table(trials: list[Trial], sweep: Sweep) -> pd.DataFrame:
    """Lay the trials out that have ended, a row each, in the order in which they were drawn."""
    names = [*sweep.parameters, *({SEED} - set(sweep.parameters))]
    rows = []
    for trial in sorted(trials, key=lambda trial: number(trial.trial_id)):
        if not trial.is_finished():
            continue
        result = trial.last_result or {}
        status = "failed" if trial.status == Trial.ERROR else result["status"]
        drawn = sweep.values(trial.config)
        row: dict[str, Any] = {"trial": number(trial.trial_id)}
        for name in names:
            # A list, such as hidden_units, is no value of a table.
            value = drawn[name]
            row[name] = written(value) if isinstance(value, list | tuple) else value
        for name in MEASURED:
            row[name] = result.get(name)
        rows.append(row | {"status": status})
    columns = ["trial", *names, *MEASURED, "status"]
    return pd.DataFrame(rows, columns=columns)


def run(
    task: Task, parts: Mapping[str, Split], state: Path, *, resume: bool
) -> tuple[pd.DataFrame, bool]:
    """Run all trials, or those that are left.

    Parameters
    ----------
    task
        What to search.
    parts
        The images to train on and to validate with.
    state
        The folder that Ray keeps the state of the sweep in.
    resume
        Whether to go on from it; what has failed is tried again.

    Returns
    -------
    table : DataFrame
        What `table` gives.
    whole : bool
        Whether no trial is left, because nobody has interrupted.
    """
    if not resume:
        shutil.rmtree(state, ignore_errors=True)
    tuned = _tuner(task, parts, state, resume=resume)
    tuned.fit()
    trials = tune.ExperimentAnalysis(str(state.resolve())).trials
    found = table(trials, task.sweep)
    return found, len(found) == task.sweep.trials * task.sweep.seeds
