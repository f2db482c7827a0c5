"""Write the page of measurements."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pyperf
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from extras.benchmarks.cases import BASELINES, LONG, PROJECT, SHORT, Group

HERE = Path(__file__).parent


def page(path: Path, groups: Sequence[Group]) -> str:
    """Return the page in Markdown, from a file that `measurement.add` has written."""
    suite = pyperf.BenchmarkSuite.load(str(path))
    values = {benchmark.get_name(): benchmark.get_values() for benchmark in suite}

    def cell(name: str, digits: int = 2, scale: float = 1) -> str:
        return f"{median(values[name]) * scale:,.{digits}f}" if name in values else ""

    context = {
        "rounds": max(map(len, values.values())),
        "machine": suite.get_metadata(),
        "groups": [group for group in groups if group.cases != BASELINES],
        "baselines": BASELINES,
        "project": PROJECT,
        "stops": (SHORT, LONG),
        "cell": cell,
        "ratio": partial(ratio, values),
    }
    return render("results.md", context)


def ratio(
    values: Mapping[str, Sequence[float]], value: str, case: str, others: Sequence[str]
) -> str:
    """Return a ratio of medians, and its range over the rounds.

    Parameters
    ----------
    values
        One per round, by their name.
    value
        What to compare, for example ``seconds``.
    case, others
        The case is divided by the sum of the others. The text is empty if there are none, or one
        of them was not measured.
    """
    measured, *rest = (values.get(f"{name}: {value}", ()) for name in (case, *others))
    if not (rest and measured and all(rest)):
        return ""
    totals = [sum(times) for times in zip(*rest, strict=False)]
    rounds = [time / total for time, total in zip(measured, totals, strict=False)]
    of_medians = median(measured) / sum(map(median, rest))
    return f"{of_medians:.2f} ({min(rounds):.2f} to {max(rounds):.2f})"


def render(template: str, context: Mapping[str, Any]) -> str:
    """Fill in a file of templates/; a name that is missing in the context is an error."""
    environment = Environment(  # noqa: S701 - Markdown, not HTML
        loader=FileSystemLoader(HERE / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(context)
