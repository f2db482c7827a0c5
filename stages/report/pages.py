"""Page and model card: their templates, and the figures in them."""

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class ReportFigure:
    """A PNG file, its content in words, its caption, and whether it is as wide as the page."""

    png: bytes
    alt: str
    caption: str
    is_wide: bool = False

    @property
    def data_uri(self) -> str:
        """The file as a URI, so that a page needs no other file."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


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
