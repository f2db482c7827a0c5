"""The results of a sweep: the table of trials, and the settings from the best to the worst."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from extras.sweeps.search_space import SEED, Sweep
from support.files import atomic_write


@dataclass(frozen=True)
class SweepResults:
    """A sweep file, its content, and the table that `extras.sweeps.trials.run` returns."""

    path: Path
    sweep: Sweep
    table: pd.DataFrame

    @property
    def folder(self) -> Path:
        """Where the results are written: beside the sweep file."""
        return self.path.with_suffix("")

    @property
    def is_complete(self) -> bool:
        """Whether all trials have ended."""
        return len(self.table) == self.sweep.trials * self.sweep.seeds

    @cached_property
    def ranking(self) -> pd.DataFrame:
        """Each setting that has finished with all seeds, the best first.

        Columns are the parameters, and the mean (``validation``) and the standard deviation
        (``std``, NaN if there is only one seed) of the validation accuracy.
        """
        parameters = list(self.sweep.parameters)
        finished = self.table[self.table["status"] == "finished"].astype({"validation": float})
        ranking: pd.DataFrame = (
            finished.drop_duplicates([*{*parameters, SEED}])  # a setting may be drawn twice
            .groupby(parameters, sort=False, as_index=False)
            .agg(validation=("validation", "mean"), std=("validation", "std"), seeds=(SEED, "size"))
        )
        ranking = ranking[ranking.pop("seeds") == self.sweep.seeds]
        # Stable, so that among equals the one that was drawn first is the best.
        return ranking.sort_values("validation", ascending=False, kind="stable", ignore_index=True)

    @property
    def best(self) -> dict[str, Any]:
        """The first row of the ranking; empty if there is none."""
        rows = self.ranking.head(1).to_dict("records")
        return {str(name): value for row in rows for name, value in row.items()}

    def write(self) -> None:
        """Write results.csv and, if any setting has finished, sweep.png."""
        csv = self.table.drop(columns="history").to_csv(index=False)
        atomic_write(self.folder / "results.csv", csv.encode())
        if self.best:
            # matplotlib takes a second to import.
            from extras.sweeps.plots import sweep_figure

            atomic_write(self.folder / "sweep.png", sweep_figure(self))
