"""Write the page of what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pyperf
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from extras.benchmarks.cases import BASELINES, LONG, SHORT, Group, Ratio

HERE = Path(__file__).parent
Values = Mapping[str, Sequence[float]]


def load(path: Path) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Load what was measured: the values by name, one per round, and the machine."""
    suite = pyperf.BenchmarkSuite.load(str(path))
    values = {benchmark.get_name(): list(benchmark.get_values()) for benchmark in suite}
    return values, suite.get_metadata()


def compare(ratios: Sequence[Ratio], values: Values) -> Iterator[dict[str, Any]]:
    """Compute each ratio of which everything was measured.

    Yields
    ------
    dict
        ``title``; ``ratio``, that of the medians; ``lowest`` and ``highest``, those of single
        rounds; ``value`` and ``others``, the medians.
    """
    for ratio in ratios:
        if not all(values.get(name) for name in (ratio.value, *ratio.others)):
            continue
        others = [sum(round_) for round_ in zip(*map(values.__getitem__, ratio.others))]
        rounds = [one / other for one, other in zip(values[ratio.value], others)]
        value = median(values[ratio.value])
        other = sum(median(values[name]) for name in ratio.others)
        yield {
            "title": ratio.title, "ratio": value / other, "lowest": min(rounds),
            "highest": max(rounds), "value": value, "other": other,
        }  # fmt: skip


def page(
    values: Values, machine: Mapping[str, str], groups: Sequence[Group], ratios: Sequence[Ratio]
) -> str:
    """Return the page in Markdown."""

    def cell(case: str, value: str, digits: int = 2, scale: float = 1) -> str:
        measured = values.get(f"{case}: {value}")
        return f"{median(measured) * scale:,.{digits}f}" if measured else "not measured"

    return render(
        "results.md",
        {
            "rounds": max(map(len, values.values())),
            "machine": machine,
            "ratios": list(compare(ratios, values)),
            "baselines": BASELINES,
            "groups": [group for group in groups if group is not BASELINES],
            "cell": cell,
            "duration": duration,
            "short": SHORT,
            "long": LONG,
        },
    )


def duration(seconds: float) -> str:
    """Return a duration in seconds, or in microseconds if it is short."""
    return f"{seconds * 1e6:.0f} µs" if seconds < 0.01 else f"{seconds:.2f} s"  # noqa: PLR2004


def render(template: str, context: Mapping[str, Any]) -> str:
    """Fill in a file of templates/; a name that is missing in the context is an error."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"), undefined=StrictUndefined,
        trim_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    return environment.get_template(template).render(context)
