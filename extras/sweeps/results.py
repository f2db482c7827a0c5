"""The results of a sweep: the table of trials, and the settings from the best to the worst."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from extras.sweeps.search_space import SEED, Sweep


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

        ``validation`` and ``std`` are mean and standard deviation of the validation accuracy.
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
    def best(self) -> dict[Any, Any]:
        """The first row of the ranking; empty if there is none."""
        return self.ranking.head(1).to_dict("index").get(0, {})
