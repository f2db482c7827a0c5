"""Trainings that are in progress or have ended, with what no output of DVC may hold: times.

Each has a folder below .cache/trainings of the repository, with ``about.json``, ``times.csv`` and a
lock, which the system releases when the training ends, whatever ends it.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from support.files import atomic_write, repository
from support.schema import StrictModel, load_json

FOLDER = Path(".cache/trainings")
MOST_TRAININGS = 100  # that have ended


class About(StrictModel):
    """A training: its run, its files, its start in milliseconds since 1970; and how it ended.

    `experiment` is DVC's name, if there is one. `device` is what it computed on, and `checksum` the
    SHA-256 of its costs; both are empty until it has ended well.
    """

    run: str
    dataset: str
    experiment: str
    costs: str
    curves: str
    start: int
    device: str = ""
    checksum: str = ""


@dataclass(frozen=True)
class Training:
    """The folder of a training."""

    folder: Path

    @property
    def name(self) -> str:
        """The training's identifier."""
        return self.folder.name

    @property
    def about(self) -> About:
        """What the training says of itself."""
        return load_json(About, self.folder / "about.json")

    @property
    def is_alive(self) -> bool:
        """Whether its process still runs."""
        try:
            with FileLock(self.folder / "lock", blocking=False):
                return False
        except Timeout:
            return True

    def end(self, device: str) -> None:
        """Record that the training has written its files, and on which device it computed."""
        costs = Path(self.about.costs)
        self.write(self.about.model_copy(update={"device": device, "checksum": _sha256(costs)}))

    def write(self, about: About) -> None:
        """Write what the training says of itself."""
        atomic_write(self.folder / "about.json", about.model_dump_json().encode())

    def times(self) -> tuple[list[int], list[int]]:
        """Return numbers of iterations, and when they were done, in milliseconds since 1970."""
        lines = (self.folder / "times.csv").read_text("utf-8").splitlines()
        rows = [(0, self.about.start), *(map(int, line.split(",")) for line in lines)]
        iterations, times = zip(*rows, strict=True)
        return list(iterations), list(times)

    def add_time(self, iterations: int) -> None:
        """Record that so many iterations are done by now."""
        with (self.folder / "times.csv").open("a", encoding="utf-8") as file:
            file.write(f"{iterations},{milliseconds()}\n")


@contextmanager
def begin_training(run: str, dataset: str, costs: Path, curves: Path) -> Iterator[Training]:
    """Announce a training while it lasts, and remove the folders of old ones and of killed ones."""
    ended = sorted(
        (one for one in trainings() if one.about.checksum), key=lambda one: one.about.start
    )
    killed = [one for one in trainings() if not (one.about.checksum or one.is_alive)]
    for other in (*ended[:-MOST_TRAININGS], *killed):
        shutil.rmtree(other.folder, ignore_errors=True)
    folder = repository() / FOLDER / uuid4().hex
    folder.mkdir(parents=True)
    about = About(
        run=run,
        dataset=dataset,
        experiment=os.environ.get("DVC_EXP_NAME", ""),
        costs=str(costs.absolute()),
        curves=str(curves.absolute()),
        start=milliseconds(),
    )
    training = Training(folder)
    with FileLock(folder / "lock"):
        training.write(about)
        (folder / "times.csv").touch()
        yield training


def trainings() -> list[Training]:
    """Return the trainings of the repository, in progress or ended."""
    return [Training(path.parent) for path in (repository() / FOLDER).glob("*/about.json")]


def find_training(costs: Path) -> Training | None:
    """Return the training of this repository that has written these costs."""
    checksum = _sha256(costs)
    return next((one for one in trainings() if one.about.checksum == checksum), None)


def milliseconds() -> int:
    """Return the time, as MLflow counts it: in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
