"""The style of every figure: sizes, colours, and PNG files whose bytes follow from the content.

The palette is that of M. Okabe and K. Ito, which colour-blind readers can tell apart; colour is
never the only sign. The font is DejaVu Sans, which comes with matplotlib. The extras draw their
own figures in this style.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

mpl.rcdefaults()
mpl.rcParams.update(
    {
        "font.family": ["DejaVu Sans"],
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.titlepad": 10,
        "axes.edgecolor": "#666666",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e4e4e4",
        "legend.frameon": False,
        "legend.fontsize": 9.5,
    }
)

DOTS_PER_INCH = 160
# In inches: a figure fills one of the page's two columns, or its whole width.
COLUMN, PAGE = 6.0, 10.0

INK, GREY = "#1a1a1a", "#6b6b6b"
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY_BLUE = "#E69F00", "#56B4E9"
# One per run, taken in turn; the lengths differ, so that 30 runs have different pairs.
RUN_COLOURS, RUN_MARKERS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE), "os^DvP"
# Keywords of `Axes.plot` for published values, which no run has produced.
PUBLISHED: Mapping[str, Any] = {
    "linestyle": "none",
    "marker": "X",
    "color": "white",
    "markeredgecolor": INK,
    "markersize": 8,
    "zorder": 5,
}


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure; inches. Its layout leaves room for labels, titles and legends."""
    return Figure(figsize=(width, height), layout="constrained")


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file: the same figure gives the same bytes."""
    file = io.BytesIO()
    # By default the file would also hold matplotlib's version.
    figure.savefig(file, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()


def wrap(title: str, width: float) -> str:
    """Return a title in as many lines as it takes in a figure of this width; inches."""
    return textwrap.fill(title, int(9 * width))


def thousands(value: float, _position: float | None = None) -> str:
    """Return the label of a tick with a comma per three digits: 10,000."""
    return f"{value:,.0f}"


def positional(value: float, _position: float | None = None) -> str:
    """Return the label of a tick with all its digits, at most six of them: 0.00001, not 1e-05."""
    return np.format_float_positional(value, precision=6, fractional=False, trim="-")
