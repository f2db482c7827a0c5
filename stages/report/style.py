"""The style of every figure: sizes, colours, and PNG files that depend on nothing but the content.

The palette is that of M. Okabe and K. Ito, which colour-blind readers can tell apart; colour is
never the only sign. The font is DejaVu Sans, which comes with matplotlib. The extras draw their
own figures in this style.
"""

import io
import textwrap
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

mpl.rcdefaults()
mpl.rc("font", family=["DejaVu Sans"], size=10)
mpl.rc("axes", titlesize=11, titlelocation="left", titlepad=10, edgecolor="#666666")
mpl.rc("axes", grid=True, axisbelow=True)
mpl.rc("axes.spines", top=False, right=False)
mpl.rc("axes.formatter", min_exponent=5)  # 0.0001 on logarithmic axes, not a power of ten
mpl.rc("grid", color="#e4e4e4")
mpl.rc("legend", frameon=False, fontsize=9.5)

DOTS_PER_INCH = 160
# In inches: a figure fills one of the page's two columns, or its whole width.
COLUMN, PAGE = 6.0, 10.0

INK, GREY = "#1a1a1a", "#6b6b6b"
BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE = "#CC79A7", "#E69F00"
# One per run, taken in turn; the lengths differ, so that 30 runs have different pairs.
RUN_COLOURS, RUN_MARKERS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE), "os^DvP"
# Keywords of `Axes.plot` for published values, which no run has produced.
PUBLISHED: Any = {"ls": "", "marker": "X", "color": "white", "mec": INK, "ms": 8, "zorder": 5}
# Formats of ticks: 10,000 and 0.0001.
thousands, positional = "{x:,.0f}", "{x:g}"


@dataclass(frozen=True)
class ReportFigure:
    """A PNG file, its content in words, its caption, and whether it is as wide as the page."""

    png: bytes
    alt: str
    caption: str
    is_wide: bool = False


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
