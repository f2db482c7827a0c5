"""What follows from the measurements: ratios, whether they reach their targets, and the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from extras.benchmarks.cases import IMPORTS, LONG, LONGER, PEERS, SHORT
from extras.benchmarks.measurements import Measurements
from stages.report import pages

# With fewer a page says that it is not to be relied on.
FULL_ROUNDS = 5


@dataclass(frozen=True)
class Target:
    """A ratio of two medians, and what it should be at most.

    Attributes
    ----------
    title
        What is compared with what.
    ours, theirs
        Names of measurements; those of `theirs` are added up.
    at_most
        What the ratio should not exceed.
    """

    title: str
    ours: str
    theirs: tuple[str, ...]
    at_most: float


TARGETS = (
    Target("an iteration / the limit of the machine", "iteration", ("limit",), 1.6),
    Target(
        "the project's training / the tutorial's loop",
        f"this project: {LONG}",
        (f"the tutorial's loop: {LONG}",),
        0.55,
    ),
    Target(
        "the project's training / Keras fit",
        f"this project: {LONG}",
        (f"Keras fit: {LONG}",),
        0.28,
    ),
    Target(
        "the project's training / JAX scan",
        f"this project: {LONG}",
        (f"JAX scan: {LONG}",),
        1.0,
    ),
    Target(
        "the process `train long` / the tutorial's process",
        f"train {LONG}: process",
        ("the tutorial's loop: process",),
        0.6,
    ),
    Target(
        "`dvc repro` of everything / two Keras scripts with autologging",
        "dvc repro: process",
        (f"autolog {SHORT}: process", f"autolog {LONG}: process"),
        0.25,
    ),
    Target(
        "peak memory of `train long` / of `import tensorflow`",
        f"train {LONG}: peak",
        ("import tensorflow: peak",),
        1.3,
    ),
    Target(
        f"peak memory of {LONGER:,} iterations / of {SHORT:,}",
        f"train {LONGER}: peak",
        (f"train {SHORT}: peak",),
        1.05,
    ),
    Target(
        "`dvc repro` with nothing to do / `dvc status`",
        "dvc repro, nothing to do",
        ("dvc status",),
        1.6,
    ),
)
PROGRAMS = {
    f"train {SHORT}: process": f"`train`, {SHORT:,} iterations",
    f"train {LONG}: process": f"`train`, {LONG:,} iterations",
    f"train {LONGER}: process": f"`train`, {LONGER:,} iterations",
    "import tensorflow: process": "`import tensorflow`",
    "dvc repro: process": "`dvc repro` of everything; the raw data is there",
    "dvc repro, nothing to do": "`dvc repro` with nothing to do",
    "dvc status": "`dvc status`",
    f"autolog {SHORT}: process": f"Keras with MLflow's autologging, {SHORT:,} iterations",
    f"autolog {LONG}: process": f"Keras with MLflow's autologging, {LONG:,} iterations",
    f"track {SHORT}: process": f"tracking a run of {SHORT:,} costs in a new store",
    f"track {LONG}: process": f"tracking a run of {LONG:,} costs in a new store",
    f"track {LONGER}: process": f"tracking a run of {LONGER:,} costs in a new store",
}


@dataclass(frozen=True)
class Ratio:
    """What was measured of a target: both medians, and the ratio in the best and worst round."""

    target: Target
    ours: float
    theirs: float
    lowest: float
    highest: float

    @property
    def value(self) -> float:
        """The ratio of the medians."""
        return self.ours / self.theirs

    @property
    def is_met(self) -> bool:
        """Whether the value is no more than the target."""
        return self.value <= self.target.at_most


def ratio(target: Target, measured: Measurements) -> Ratio | None:
    """Compare what was measured; None if something was not."""
    ours, theirs = measured.values(target.ours), [measured.values(name) for name in target.theirs]
    if not ours or not all(theirs):
        return None
    others = [sum(values) for values in zip(*theirs, strict=False)]
    rounds = [one / other for one, other in zip(ours, others, strict=False)]
    return Ratio(
        target,
        measured.median(target.ours),
        sum(map(measured.median, target.theirs)),
        min(rounds),
        max(rounds),
    )


@dataclass(frozen=True)
class Row:
    """A line of a table; the remark says why there is no number."""

    title: str
    remark: str = ""
    short: float = 0
    long: float = 0
    ratio: float = 0
    steady: float = 0
    process: float = 0
    seconds: float = 0
    peak: float = 0
    right: float = 0


def page(
    measured: Measurements, about: Sequence[str], remarks: Mapping[str, str], rounds: int
) -> str:
    """Write the page that shows everything that was measured.

    Parameters
    ----------
    measured
        All values.
    about
        The machine and the versions, a line each.
    remarks
        Why a case has not been measured, by its name.
    rounds
        How often each case has been measured.
    """
    targets = [
        {
            "target": target,
            "ratio": found,
            "ours": _shown(target, found.ours) if found else "",
            "theirs": _shown(target, found.theirs) if found else "",
        }
        for target in TARGETS
        for found in [ratio(target, measured)]
    ]
    context = {
        "is_quick": rounds < FULL_ROUNDS,
        "rounds": rounds,
        "about": about,
        "targets": targets,
        "peers": list(_peers(measured, remarks)),
        "programs": list(_programs(measured, remarks)),
        "imports": [_imported(stage, measured) for stage in IMPORTS],
        "short": SHORT,
        "long": LONG,
    }
    return pages.render("benchmarks.md", context)


def _peers(measured: Measurements, remarks: Mapping[str, str]) -> Iterator[Row]:
    ours = f"{PEERS[0].title}: {LONG}"
    for peer in PEERS:
        name = peer.title
        if not measured.values(f"{name}: {LONG}"):
            yield Row(name, remarks.get(f"{name}: process", "not measured"))
            continue
        long = measured.median(f"{name}: {LONG}")
        yield Row(
            name,
            short=measured.median(f"{name}: {SHORT}"),
            long=long,
            ratio=long / measured.median(ours) if measured.values(ours) else float("nan"),
            steady=measured.median(f"{name}: steady"),
            process=measured.median(f"{name}: process"),
            peak=measured.median(f"{name}: peak"),
            right=measured.median(f"{name}: right") / measured.median(f"{name}: images"),
        )


def _programs(measured: Measurements, remarks: Mapping[str, str]) -> Iterator[Row]:
    for name, title in PROGRAMS.items():
        peak = name.replace("process", "peak")
        if measured.values(name):
            has_peak = peak != name and measured.values(peak)
            yield Row(
                title,
                seconds=measured.median(name),
                peak=measured.median(peak) if has_peak else 0,
            )
        else:
            yield Row(title, remarks.get(name, "not measured"))


def _imported(stage: str, measured: Measurements) -> Row:
    name = f"import stages.{stage}"
    if not measured.values(name):
        return Row(f"stages.{stage}", "not measured")
    return Row(f"stages.{stage}", seconds=measured.median(name))


def _shown(target: Target, value: float) -> str:
    if target.ours.endswith("peak"):
        return f"{value / 1e6:.0f} MB"
    return f"{value * 1e6:.0f} µs" if value < 0.01 else f"{value:.2f} s"
