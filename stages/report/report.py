"""The report: all figures, and the page and the model card that templates make of the results."""

import base64
import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from stages.report import figures, images
from stages.report.run_results import ReportData
from stages.report.style import ReportFigure


def draw(data: ReportData) -> dict[str, ReportFigure]:
    """Draw all figures, by the names of their files, such as ``costs`` and ``short/confusion``."""
    drawings = {"costs": figures.costs_of_all(data)}
    for name, run in data.runs.items():
        # ADAPT: the figures of each run. Without images.py, the last line goes.
        drawings |= {
            f"{name}/cost": figures.cost_of_run(data, run),
            f"{name}/confusion": figures.confusion(data, run),
            f"{name}/calibration": figures.calibration(data, run),
            **figures.curves(run),
            **images.draw_run(data, run),
        }
    return drawings


def render(template: str, data: ReportData, drawings: Mapping[str, ReportFigure]) -> str:
    """Fill in a file of templates/; values are escaped in HTML, and a missing name is an error."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["percent"] = percent
    environment.filters["thousands"] = "{:,}".format
    environment.filters["base64"] = lambda content: base64.b64encode(content).decode()
    # The settings by the names that `dvc exp run -S` knows, such as train.seed.
    settings = data.config.model_dump(mode="json") | {"dataset": data.config.dataset.name}
    parameters = pd.json_normalize(settings).iloc[0]
    context = {"data": data, "figures": drawings, "parameters": parameters}
    return environment.get_template(template).render(context)


def percent(fraction: float | None) -> str:
    """Return a fraction as a percentage; a dash for None, and for NaN, which is undefined.

    >>> percent(0.9769)
    '97.69%'
    """
    return "\N{EN DASH}" if fraction is None or math.isnan(fraction) else f"{fraction:.2%}"
