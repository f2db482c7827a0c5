"""What has been measured so far: a file that an interrupted run goes on with.

It is a file of pyperf's, whose commands show the values in every way (`python -m pyperf stats`,
`hist`, `compare_to`); pyperf also notes the processor and the system, and refuses to add a value
from another machine. Its own runner is not used: it measures one thing after the other, and on a
machine that others use as well only what is measured in turn can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pyperf

Unit = Literal["second", "byte", "integer"]


class Measurements:
    """Values by name, kept in a file.

    Parameters
    ----------
    path
        The file; what it holds is gone on with.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._benchmarks: dict[str, pyperf.Benchmark] = {}
        if path.exists():
            for benchmark in pyperf.BenchmarkSuite.load(str(path)):
                self._benchmarks[benchmark.get_name()] = benchmark

    def add(self, values: Mapping[str, tuple[Unit, float]]) -> None:
        """Add a value to each name, and write the file."""
        for name, (unit, value) in values.items():
            run = pyperf.Run([float(value)], metadata={"name": name, "unit": unit})
            if name in self._benchmarks:
                self._benchmarks[name].add_run(run)
            else:
                self._benchmarks[name] = pyperf.Benchmark([run])
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        pyperf.BenchmarkSuite(list(self._benchmarks.values())).dump(str(partial), replace=True)
        partial.replace(self._path)

    def values(self, name: str) -> tuple[float, ...]:
        """Give the values of a name, in the order in which they came; none if it is unknown."""
        found = self._benchmarks.get(name)
        return tuple(found.get_values()) if found else ()

    def median(self, name: str) -> float:
        """Give the median of a name's values.

        Raises
        ------
        KeyError
            If it has none.
        """
        return float(self._benchmarks[name].median())
