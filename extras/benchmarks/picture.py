"""The measurements as one picture."""

from __future__ import annotations

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from extras.benchmarks.cases import LONG, PEERS, SHORT
from extras.benchmarks.comparison import TARGETS, Ratio, ratio
from extras.benchmarks.measurements import Measurements
from stages.report.plots import BLUE, DOTS_PER_INCH, GREY, INK, PAGE, VERMILLION

PALE_BLUE, PALE_GREY = "#8fc1e3", "#c4c4c4"


def draw(measured: Measurements, caption: str) -> bytes:
    """Draw the peers' times, and each ratio against its target; a PNG file.

    Parameters
    ----------
    measured
        All values.
    caption
        The machine and the versions, below the picture.
    """
    figure = Figure(figsize=(PAGE, 8.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=(len(PEERS), len(TARGETS)))
    _peers(upper, measured)
    _targets(lower, [found for target in TARGETS if (found := ratio(target, measured))])
    figure.supxlabel(caption, size=8.5, color=GREY)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()


def _peers(axes: Axes, measured: Measurements) -> None:
    seconds = {
        peer.title: measured.median(f"{peer.title}: {LONG}")
        for peer in PEERS
        if measured.values(f"{peer.title}: {LONG}")
    }
    order = sorted(seconds, key=lambda title: seconds[title])
    for place, title in enumerate(order):
        ours = title == PEERS[0].title
        first = measured.median(f"{title}: {SHORT}")
        axes.barh(place, seconds[title], color=PALE_BLUE if ours else PALE_GREY, height=0.72)
        axes.barh(place, first, color=BLUE if ours else GREY, height=0.72)
        axes.annotate(
            f"{seconds[title]:.1f} s", (seconds[title], place), (4, 0),
            textcoords="offset points", va="center", size=9.5, color=INK,
            weight="bold" if ours else "normal",
        )  # fmt: skip
    axes.set_yticks(range(len(order)), order)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.08)
    axes.set_xlabel(f"seconds with compiling, without imports; dark: the first {SHORT:,}")
    axes.set_title(f"{LONG:,} iterations of the same training")


def _targets(axes: Axes, ratios: list[Ratio]) -> None:
    for place, found in enumerate(ratios):
        at_most = found.target.at_most
        colour, mark = (BLUE, "o") if found.is_met else (VERMILLION, "X")
        ends = [found.lowest / at_most, found.highest / at_most]
        axes.plot(ends, [place, place], color=colour, linewidth=2, solid_capstyle="round")
        axes.plot(found.value / at_most, place, mark, color=colour, markersize=8)
        axes.annotate(
            f"{found.value:.2f}, at most {at_most:g}", (max(1, *ends), place), (8, 0),
            textcoords="offset points", va="center", size=9.5, color=INK,
        )  # fmt: skip
    axes.axvline(1, color=INK, linewidth=1, dashes=(4, 3))
    axes.set_yticks(range(len(ratios)), [found.target.title.replace("`", "") for found in ratios])
    axes.set_ylim(len(ratios) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelsize=9)
    axes.set_xlim(left=0)
    axes.margins(x=0.3)
    axes.set_xlabel("share of the target: o met, x not met; the line is from best to worst round")
    axes.set_title("Ratios against their targets")
