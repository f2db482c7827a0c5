"""The text around the results: the table of runs, and the templates of page and model card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from common.command_line import InputError
from common.config import Config
from common.datasets import Published
from common.results import ACCURACY, Result
from stages.report.calibration import accuracy_interval

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Row:
    """One run in the table of results.

    The interval is the 95 % confidence interval of the test accuracy; `published` has the published
    results of a training with as many iterations, if any.
    """

    run: str
    result: Result
    interval: tuple[float, float]
    published: Published | None

    @property
    def is_met(self) -> bool:
        """Whether the test accuracy reaches its threshold."""
        return self.result.test >= self.result.min_test_accuracy


def rows(config: Config, results: Mapping[str, Result], test_examples: int) -> list[Row]:
    """Return the table of results, one row per run of params.yaml.

    Raises
    ------
    InputError
        If a run has no result.
    """
    table = []
    for name in config.runs:
        if name not in results:
            raise InputError(f"{ACCURACY}: has no run {name!r}; `dvc repro` makes it again")
        result = results[name]
        interval = accuracy_interval(round(result.test * test_examples), test_examples)
        table.append(Row(name, result, interval, config.dataset.published.get(result.iterations)))
    return table


def render(template: str, context: Mapping[str, Any]) -> str:
    """Fill in a template.

    Parameters
    ----------
    template
        The name of a file in templates/; values are escaped in HTML.
    context
        The names that the template uses; a missing one is an error.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["percent"] = percent
    environment.filters["thousands"] = "{:,}".format
    return environment.get_template(template).render(context)


def percent(fraction: float | None) -> str:
    """Return a fraction as a percentage; a dash for None, and for NaN, which is undefined."""
    return "\N{EN DASH}" if fraction is None or math.isnan(fraction) else f"{fraction:.2%}"
