"""The words around the results: templates, and the table that every page begins with.

The only module that imports Jinja2. A name that a template uses and nobody gives is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from common.command_line import InputError
from common.config import Config
from common.results import ACCURACY, Result
from stages.report import tutorial
from stages.report.calibration import wilson_interval
from stages.report.tutorial import Figures

TEMPLATES = Path(__file__).parents[1] / "templates"


@dataclass(frozen=True)
class Row:
    """One run in the table of results; accuracies in [0, 1].

    Attributes
    ----------
    interval
        In which the test accuracy lies with 95 % confidence.
    tutorial
        What the tutorial says of a training as long as this; None if nothing.
    """

    run: str
    result: Result
    interval: tuple[float, float]
    tutorial: Figures | None

    @property
    def is_met(self) -> bool:
        """Whether the test accuracy reaches its threshold."""
        return self.result.test >= self.result.min_test_accuracy


def rows(settings: Config, measured: Mapping[str, Result]) -> Iterator[Row]:
    """Make the table of results, a row a run of params.yaml.

    Raises
    ------
    InputError
        If a run has not been measured.
    """
    images = settings.dataset.test_images
    published = tutorial.figures(settings.dataset_name)
    for run in settings.runs:
        if run not in measured:
            raise InputError(f"{ACCURACY}: has no run {run!r}; `dvc repro` makes it anew")
        result = measured[run]
        yield Row(
            run=run,
            result=result,
            interval=wilson_interval(round(result.test * images), images),
            tutorial=published.get(result.iterations),
        )


def render(template: str, context: Mapping[str, Any]) -> str:
    """Fill in a template.

    Parameters
    ----------
    template
        The name of a file in templates/; what goes into HTML is escaped.
    context
        The names that the template uses.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["percent"] = _percent
    environment.filters["thousands"] = _thousands
    return environment.get_template(template).render(context)


def _percent(fraction: float | None) -> str:
    # NaN, the only value that differs from itself, is a precision or recall that is undefined.
    return "\N{EN DASH}" if fraction is None or fraction != fraction else f"{fraction:.2%}"  # noqa: PLR0124


def _thousands(number: int) -> str:
    return f"{number:,}"
