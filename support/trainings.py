"""Trainings that are in progress or have ended, with what no output of DVC may hold: times.

Each has a folder below .cache/trainings of the repository, with ``about.json``, ``times.csv`` and a
lock, which the system releases when the training ends, whatever ends it.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from support.command_line import InputError
from support.files import atomic_write, repository, sha256
from support.schema import StrictModel, load_json

FOLDER = Path(".cache/trainings")
MAX_TRAININGS = 100  # that have ended


class About(StrictModel):
    """What is known of a training: its run, its files, and its start in milliseconds since 1970.

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
    """The folder of a training, and what was known of it when it was read."""

    folder: Path
    about: About = field(compare=False)

    @property
    def name(self) -> str:
        """The training's identifier."""
        return self.folder.name

    @property
    def is_alive(self) -> bool:
        """Whether its process still runs."""
        lock = self.folder / "lock"
        try:
            with FileLock(lock, blocking=False) if lock.exists() else nullcontext():
                return False
        except Timeout:
            return True

    def end(self, device: str) -> None:
        """Record that the training has written its files, and on which device it computed."""
        checksum = sha256(Path(self.about.costs))
        _write(self.folder, self.about.model_copy(update={"device": device, "checksum": checksum}))

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
    earlier = trainings()
    ended = [training for training in earlier if training.about.checksum]
    unfinished = [training for training in earlier if not training.about.checksum]
    killed = [training for training in unfinished if not training.is_alive]
    for training in (*ended[MAX_TRAININGS:], *killed):
        shutil.rmtree(training.folder, ignore_errors=True)
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
    with FileLock(folder / "lock"):
        (folder / "times.csv").touch()
        _write(folder, about)
        yield Training(folder, about)


def trainings() -> list[Training]:
    """Return the trainings of the repository, in progress or ended, the latest first.

    Those of another version of this file are left out, and those that another process removes.
    """
    result = []
    for path in (repository() / FOLDER).glob("*/about.json"):
        with suppress(InputError):
            result.append(Training(path.parent, load_json(About, path)))
    return sorted(result, key=lambda training: training.about.start, reverse=True)


def find_trainings(costs: Path) -> list[Training]:
    """Return the trainings of this repository that have written these costs, the latest first."""
    checksum = sha256(costs)
    return [training for training in trainings() if training.about.checksum == checksum]


def milliseconds() -> int:
    """Return the time, as MLflow counts it: in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _write(folder: Path, about: About) -> None:
    atomic_write(folder / "about.json", about.model_dump_json().encode())
