"""The results of a sweep: the table of trials, and the settings from the best to the worst."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from common.atomic import atomic_write
from extras.sweeps.search_space import SEED, Sweep

# How many of the best settings are printed; results.csv has all.
PRINTED_SETTINGS = 10


@dataclass(frozen=True)
class SweepResults:
    """The results of a sweep, which may be incomplete.

    Attributes
    ----------
    path, sweep
        The sweep file, and its content.
    table
        One row per trial that has ended, as `extras.sweeps.trials.run` returns it.
    """

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
        (``std``) of the validation accuracy over the seeds; NaN if there is only one seed.
        """
        ranking: pd.DataFrame = (
            self.table[self.table["status"] == "finished"]
            .astype({"validation": float})
            .drop_duplicates([*{*self.sweep.parameters, SEED}])  # a setting may be drawn twice
            .groupby(list(self.sweep.parameters), sort=False)["validation"]
            .agg(validation="mean", std="std", seeds="size")
            .query("seeds == @self.sweep.seeds")
            .drop(columns="seeds")
            .reset_index()
        )
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

    def summary(self) -> Iterator[str]:
        """Return lines: the best settings, and how many trials have finished, stopped or failed."""
        if self.best:
            names = dict.fromkeys(self.sweep.parameters, str)
            percent = dict.fromkeys(("validation", "std"), "{:.2%}".format)
            table = self.ranking.head(PRINTED_SETTINGS).astype(names)
            yield table.to_string(index=False, formatters=percent)
        for status, count in self.table["status"].value_counts().items():
            yield f"{count} of {self.sweep.trials * self.sweep.seeds} trials {status}"
