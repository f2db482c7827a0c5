"""The trials of a sweep on Ray Tune.

Ray draws the settings, places the workers, stops early, retries the trial of a killed worker, and
keeps the state that a sweep resumes from. A worker imports TensorFlow once, receives the
arrays once and compiles one program per shape; then a trial costs only its iterations.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import BasicVariantGenerator

from common.command_line import CommandError, echo
from common.config import Config
from common.inference import accuracy
from common.model import ModelParams
from common.splits import Split
from extras.sweeps.search_space import SEED, Sweep
from stages.track.provenance import machine

# How often a trial is tried if its process is killed.
ATTEMPTS = 3
# How many compiled programs a worker keeps.
PROGRAMS = 4
# What a trial reports; its history is a list of iterations, mean cost and validation accuracy.
MEASUREMENTS = ("iterations", "cost", "validation", "status", "history")


def versions() -> dict[str, str]:
    """Return the versions of the libraries that a result depends on."""
    # tensorflow-cpu computes the same bytes as tensorflow.
    packages = {name.removesuffix("-cpu"): version for name, version in machine().items()}
    return {name: packages[name] for name in ("package_numpy", "package_tensorflow")}


@dataclass(frozen=True)
class Task:
    """The input of a worker: the sweep, the settings that it varies, the number of classes."""

    sweep: Sweep
    config: Config
    classes: int
    versions: Mapping[str, str] = field(default_factory=versions)


class Worker(tune.Trainable):  # type: ignore[misc]
    """Trains one trial after the other; a step lasts until the next validation."""

    def setup(self, config: dict[str, Any], task: Task, train: Split, validation: Split) -> None:
        """Import TensorFlow, and start the first trial."""
        if versions() != task.versions:
            raise CommandError(f"this node has {versions()}, the sweep needs {task.versions}")
        from stages.train.trainer import Trainer

        @lru_cache(PROGRAMS)
        def trainer(model: ModelParams, batch_size: int) -> Trainer:
            params = task.config.train.model_copy(update={"batch_size": batch_size})
            return Trainer(model, params, train, task.classes)

        self._new_trainer = trainer
        self._task, self._validation = task, validation
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Start another trial; True tells Ray that this is possible."""
        sweep = self._task.sweep
        config = sweep.apply(self._task.config, sweep.round_values(new_config))
        self._trainer = self._new_trainer(config.model, config.train.batch_size)
        self._trainer.reset(config.train)
        self._iterations = config.run(sweep.run).iterations
        self._done = 0
        self._history: list[tuple[int, float, float]] = []
        return True

    def step(self) -> dict[str, Any]:
        """Train until the next validation, and report."""
        count = min(self._task.sweep.validate_every_iterations, self._iterations - self._done)
        costs = np.concatenate(list(self._trainer.train(count)))
        self._done += count
        is_diverged = not np.isfinite(costs).all()
        is_last = self._done == self._iterations
        validation = math.nan
        if not is_diverged:
            examples = self._validation
            validation = accuracy(self._trainer.weights(), examples.features, examples.labels)
        self._history.append((self._done, float(costs.mean(dtype=np.float64)), validation))
        return {
            "iterations": self._done,
            "cost": str(costs[-1]),
            "validation": validation,
            # If the last report of a trial is not its end, the scheduler has stopped it there.
            "status": "failed" if is_diverged else "finished" if is_last else "stopped",
            "history": list(self._history),
            tune.result.DONE: is_diverged or is_last,
        }


class Progress(tune.Callback):  # type: ignore[misc]
    """Prints one line per trial that has ended."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep

    def on_trial_complete(self, *, trials: list[Trial], trial: Trial, **_: object) -> None:
        """Print the result of a trial."""
        result = trial.last_result
        outcome = f"validation {result['validation']:.2%}"
        if result["status"] == "failed":
            outcome = f"diverged, the batch cost is {result['cost']}"
        self._print(trials, trial, f"{result['iterations']:,} iterations, {outcome}")

    def on_trial_error(self, *, trials: list[Trial], trial: Trial, **_: object) -> None:
        """Print why the last attempt of a trial failed."""
        lines = str(trial.get_pickled_error() or "its process was killed").strip().splitlines()
        self._print(trials, trial, f"failed {ATTEMPTS} times: {lines[-1]:.200}")

    def _print(self, trials: list[Trial], trial: Trial, outcome: str) -> None:
        # Ray counts this trial as running until all callbacks have returned.
        ended = 1 + sum(other.is_finished() for other in trials if other is not trial)
        values = self._sweep.round_values(trial.config)
        settings = ", ".join(f"{name.rpartition('.')[2]} {values[name]}" for name in values)
        echo(f"{ended} of {self._sweep.trials * self._sweep.seeds}: {settings}: {outcome}")


def _search_space(task: Task) -> dict[str, Any]:
    space = {}
    for name, parameter in task.sweep.parameters.items():
        arguments = parameter.arguments if parameter.is_range else [list(parameter.arguments)]
        space[name] = getattr(tune, parameter.function)(*arguments)
    first = task.config.train.seed
    space.setdefault(SEED, tune.grid_search(list(range(first, first + task.sweep.seeds))))
    return space


def _scheduler(task: Task) -> ASHAScheduler | None:
    sweep = task.sweep
    if sweep.scheduler == "none":
        return None
    searched = sweep.parameters.get(f"runs.{sweep.run}.iterations")
    longest = max(searched.arguments) if searched else task.config.run(sweep.run).iterations
    return ASHAScheduler(
        time_attr="iterations",
        metric="validation",
        mode="max",
        grace_period=min(sweep.validate_every_iterations, longest),
        max_t=longest,
    )


def _tuner(task: Task, splits: Mapping[str, Split], state: Path, *, resume: bool) -> tune.Tuner:
    sweep, resources = task.sweep, task.sweep.resources
    trainable = tune.with_resources(
        tune.with_parameters(Worker, task=task, **splits),
        {"cpu": resources.cpus, "memory": resources.memory_megabytes * 2**20},
    )
    if resume:
        return tune.Tuner.restore(str(state.resolve()), trainable, restart_errored=True)
    return tune.Tuner(
        trainable,
        param_space=_search_space(task),
        tune_config=tune.TuneConfig(
            num_samples=sweep.trials // sweep.grid_points,
            # The same draws for each seed, and for each point of the grid.
            search_alg=BasicVariantGenerator(
                constant_grid_search=True, random_state=sweep.draw_seed
            ),
            scheduler=_scheduler(task),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name=state.name,
            storage_path=str(state.resolve().parent),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=ATTEMPTS - 1),
            callbacks=[Progress(sweep)],
            verbose=0,
        ),
    )


def run(task: Task, splits: Mapping[str, Split], state: Path, *, resume: bool) -> pd.DataFrame:
    """Run all trials, or those that are left.

    Parameters
    ----------
    task, splits
        What to search; the examples, ``train`` and ``validation``.
    state
        The folder in which Ray keeps the state of the sweep.
    resume
        Whether to continue from that state; failed trials are tried again.

    Returns
    -------
    DataFrame
        One row per trial that has ended, in the order in which they were drawn: its number, its
        settings, and `MEASUREMENTS`. An interrupt leaves out the others.
    """
    if not resume:
        shutil.rmtree(state.parent, ignore_errors=True)
    _tuner(task, splits, state, resume=resume).fit()
    trials = tune.ExperimentAnalysis(str(state.resolve())).trials
    rows = [_row(trial, task.sweep) for trial in trials if trial.is_finished()]
    names = [*task.sweep.parameters, *({SEED} - set(task.sweep.parameters))]
    table = pd.DataFrame(rows, columns=["trial", *names, *MEASUREMENTS])
    # Iterations stay integers even if a value is missing.
    return table.astype({"iterations": "Int64"}).sort_values("trial", ignore_index=True)


def _row(trial: Trial, sweep: Sweep) -> dict[str, Any]:
    # Ray counts in its identifiers, from 0 on.
    row: dict[str, Any] = {"trial": int(trial.trial_id.rpartition("_")[2]) + 1}
    for name, value in sweep.round_values(trial.config).items():
        # Settings are grouped by their values, which a list does not allow.
        row[name] = str(value) if isinstance(value, list) else value
    row |= {name: (trial.last_result or {}).get(name) for name in MEASUREMENTS}
    return row | {"status": "failed"} if trial.status == Trial.ERROR else row
