"""Show trainings in MLflow while they run.

Each has a provisional run, RUNNING, made from the files to which the training appends. `track`
replaces it by the run of the result; a training that was killed leaves it as KILLED.
"""

import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from stages.track.store import experiment_name, open_store
from support.files import repository
from support.trainings import Training, trainings

if TYPE_CHECKING:

    from stages.track.track import Store

TRAINING, REPOSITORY = "training", "training.repository"
SECONDS = 5
# Of each curve, in one update.
MOST_POINTS = 20


class Follower:
    """Keeps the provisional runs of this repository's trainings up to date."""

    def __init__(self) -> None:
        # How much of each file is in MLflow already, in bytes.
        self._offsets: dict[Path, int] = defaultdict(int)
        self._is_idle = False

    def update(self) -> None:
        """Add what the trainings have reported since the last update."""
        alive = [training for training in trainings() if training.is_alive]
        if alive or not self._is_idle:
            with open_store(repository()) as store:
                for training in alive:
                    self._add(store, training)
                end_provisional_runs(store, alive)
        self._is_idle = not alive

    def _add(self, store: "Store", training: Training) -> None:
        """Add new points to the provisional run of a training, which is created if necessary."""
        about = training.about
        experiment_id = store.experiment_id(experiment_name(about.dataset))
        run_id = next(_provisional_runs(store, experiment_id, training), None)
        if run_id is None:
            ...


def follow() -> None:
    """Follow the trainings of this repository until the process is interrupted."""
    follower = Follower()
    while True:
        follower.update()
        time.sleep(SECONDS)
