"""What a training reports on the way: appended to files as it comes, and printed."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.config import PARAMS, Config
from support.command_line import CommandError, echo
from support.files import atomic_write
from support.trainings import Training, begin_training

HEADERS = {"costs": "iteration,cost\n", "curves": "iteration,name,value\n"}


class Reporter:
    """Appends costs and other named values to CSV files, which others may read meanwhile."""

    def __init__(self, training: Training, log_every_iterations: int) -> None:
        about = training.about
        self._training = training
        self._paths = {"costs": Path(about.costs), "curves": Path(about.curves)}
        self._log_every = log_every_iterations
        self._costs: list[NDArray[np.float32]] = []
        self._values: list[tuple[int, str, float]] = []
        self.iterations = 0  # whose costs were reported
        self.device = ""  # on which the training computes
        for name, header in HEADERS.items():
            # Not into a file that is a link into DVC's cache.
            atomic_write(self._paths[name], header.encode())

    def add_costs(self, costs: NDArray[np.float32], *, log: bool = True) -> None:
        """Report the costs of the next iterations, in nats.

        In the file a cost has the fewest digits that give the same float32 when read. Raises
        CommandError if the training has diverged.
        """
        first, self.iterations = self.iterations, self.iterations + len(costs)
        diverged = np.flatnonzero(~np.isfinite(costs))
        if diverged.size:
            raise CommandError(
                f"iteration {first + diverged[0]}: the batch cost is {costs[diverged[0]]}; "
                f"try a smaller train.learning_rate in {PARAMS}"
            )
        self._costs.append(costs)
        self._append("costs", (f"{row},{cost!s}\n" for row, cost in enumerate(costs, first)))
        self._training.add_time(self.iterations)
        for row, cost in enumerate(costs, first):
            if log and row % self._log_every == 0:
                echo(f"iteration {row}, batch cost: {cost:.4f}")

    def add_value(self, name: str, value: float, *, log: bool = True) -> None:
        """Report another value after the iterations until now, such as the validation accuracy.

        Raises ValueError if the name has a comma, a quotation mark or more than one line.
        """
        if set(name) & set(',"\n\r'):
            raise ValueError(
                f"the name of a value should have no comma or quotation mark: {name!r}"
            )
        value = float(value)
        self._values.append((self.iterations, name, value))
        self._append("curves", [f"{self.iterations},{name},{value}\n"])
        if log:
            echo(f"after {self.iterations:,} iterations, {name}: {value:.4g}")

    def state(self) -> dict[str, NDArray[Any]]:
        """Return everything that was reported, as arrays."""
        rows, names, values = zip(*self._values, strict=True) if self._values else ((), (), ())
        return {
            "costs": np.concatenate([np.empty(0, np.float32), *self._costs]),
            "value_iterations": np.array(rows, np.int64),
            "value_names": np.array(names, np.str_),
            "values": np.array(values, np.float64),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Report again what an interrupted training has reported."""
        columns = (state[name].tolist() for name in ("value_iterations", "value_names", "values"))
        for row, name, value in zip(*columns, strict=True):
            self.add_costs(state["costs"][self.iterations : row], log=False)
            self.add_value(name, value, log=False)
        self.add_costs(state["costs"][self.iterations :], log=False)

    def _append(self, name: str, lines: Iterable[str]) -> None:
        with self._paths[name].open("a", encoding="utf-8") as file:
            file.writelines(lines)


@contextmanager
def report(run: str, config: Config, costs: Path, curves: Path) -> Iterator[Reporter]:
    """Report a training, which may be followed as long as it lasts."""
    with begin_training(run, config.dataset.name, costs, curves) as training:
        reporter = Reporter(training, config.train.log_every_iterations)
        yield reporter
        training.end(reporter.device)
