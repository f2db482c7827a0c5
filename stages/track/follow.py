"""Show trainings in MLflow while they run.

Each has a provisional run, RUNNING, made from the files to which the training appends. `track`
replaces it by the run of the result; a training that was killed leaves it as KILLED.
"""

import hashlib
import platform
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock, Timeout

from stages.track.runs import metric_name, window_means
from stages.track.store import experiment_name, open_store
from support.files import repository
from support.trainings import FOLDER, Training, trainings

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run

    from stages.track.track import Store

TRAINING, PLACE = "training", "training.place"
SECONDS = 3
# Of the costs, in one update.
MAX_POINTS = 20


class Follower:
    """Keeps the provisional runs of this repository's trainings up to date."""

    def __init__(self) -> None:
        self._runs: dict[str, str] = {}  # by training
        # How much of each file is in MLflow already, in bytes.
        self._offsets: dict[str, int] = defaultdict(int)
        self._is_idle = False
        self._lock = FileLock(repository() / FOLDER / "follower.lock")

    def update(self) -> None:
        """Add what the trainings have reported since the last update, and end those that ended.

        Only one process of the repository does so at a time.
        """
        if not self._lock.is_locked:
            try:
                self._lock.acquire(blocking=False)
            except Timeout:
                return
        alive = [training for training in trainings() if training.is_alive]
        if alive or not self._is_idle:
            with open_store(repository()) as store:
                for training in alive:
                    self._add(store, training)
                end_provisional_runs(store)
        self._is_idle = not alive

    def _add(self, store: "Store", training: Training) -> None:
        if training.name not in self._runs:
            delete_provisional_runs(store, training)  # of another process, perhaps incomplete
            self._runs[training.name] = _create_run(store, training)
            # Its files have replaced those of an earlier training.
            self._offsets[training.about.costs] = self._offsets[training.about.curves] = 0
        store.client.log_batch(self._runs[training.name], list(self._metrics(training)))

    def _metrics(self, training: Training) -> Iterator["Metric"]:
        from mlflow.entities import Metric

        times, about = training.times(), training.about
        costs = [line.split(",") for line in self._new_lines(about.costs)]
        means = window_means(np.array([cost for _, cost in costs], np.float32), MAX_POINTS)
        points: list[tuple[str, ...]] = [
            (costs[last][0], "cost", str(mean)) for last, mean in means
        ]
        points += [tuple(line.split(",")) for line in self._new_lines(about.curves)]
        for iteration, name, value in points:
            step = int(iteration)
            yield Metric(metric_name(name), float(value), int(np.interp(step, *times)), step)

    def _new_lines(self, path: str) -> list[str]:
        """Return the complete lines that were appended to a file, without its header."""
        with Path(path).open("rb") as file:
            file.seek(self._offsets[path])
            complete, newline, _ = file.read().rpartition(b"\n")
        lines = complete.decode().splitlines()
        header = 1 if self._offsets[path] == 0 else 0
        self._offsets[path] += len(complete) + len(newline)
        return lines[header:]


def follow() -> None:
    """Follow the trainings of this repository until the process is interrupted."""
    follower = Follower()
    while True:
        follower.update()
        time.sleep(SECONDS)


def delete_provisional_runs(store: "Store", training: Training) -> None:
    """Delete the provisional runs of a training."""
    for run in _find_runs(store, f"tags.{TRAINING} = '{training.name}'"):
        store.client.delete_run(run.info.run_id)


def end_provisional_runs(store: "Store") -> None:
    """End the provisional runs of this repository's trainings that run no more."""
    by_name = {training.name: training for training in trainings()}
    for run in _find_runs(store, f"attributes.status = 'RUNNING' and tags.{PLACE} = '{_place()}'"):
        training = by_name.get(run.data.tags[TRAINING])
        if training is None or not training.is_alive:
            is_complete = training is not None and training.about.checksum
            store.client.set_terminated(run.info.run_id, "FINISHED" if is_complete else "KILLED")


def _find_runs(store: "Store", condition: str) -> list["Run"]:
    identifiers = [experiment.experiment_id for experiment in store.client.search_experiments()]
    return list(store.client.search_runs(identifiers, condition))


def _create_run(store: "Store", training: Training) -> str:
    about = training.about
    experiment_id = store.experiment_id(experiment_name(about.dataset))
    tags = {TRAINING: training.name, PLACE: _place()}
    tags["mlflow.note.content"] = f"In progress, from {about.costs} and {about.curves}"
    name = f"{about.run} ({', '.join(filter(None, [about.experiment, 'training']))})"
    run = store.client.create_run(experiment_id, about.start, tags, name)
    return str(run.info.run_id)


def _place() -> str:
    """Return an identifier of this repository on this machine that reveals neither."""
    return hashlib.sha256(f"{platform.node()} {repository()}".encode()).hexdigest()[:16]
