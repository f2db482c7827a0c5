"""Write the page of measurements."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import StrictUndefined, Template

from extras.benchmarks.cases import CASES

HERE = Path(__file__).parent
# What was measured in one round, by names such as "cold repro/seconds".
Round = Mapping[str, float]


def page(results: Mapping[str, Any]) -> str:
    """Return the page in Markdown, from the content of results.json."""
    rounds: Sequence[Round] = results["rounds"]

    def cell(name: str, digits: int = 2, scale: float = 1) -> str:
        values = [measured[name] * scale for measured in rounds if name in measured]
        return f"{median(values):,.{digits}f}" if values else ""

    targets = [
        (title, target.get("at_most", ""), spread(target, rounds))
        for title, target in CASES["targets"].items()
    ]
    text = (HERE / "results.md.j2").read_text(encoding="utf-8")
    template = Template(
        text, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    return template.render(results, targets=targets, groups=CASES["groups"], cell=cell)


def spread(target: Mapping[str, Any], rounds: Sequence[Round]) -> str:
    """Return the median and the range of what a target asks for, over the rounds that have it."""
    value, less, others = target["value"], target.get("less"), target.get("divided_by", [])
    values = [
        (measured[value] - (measured[less] if less else 0))
        / (sum(measured[name] for name in others) if others else 1)
        for measured in rounds
        if {value, less or value, *others} <= measured.keys()
    ]
    if not values:
        return "not measured | "
    return f"**{median(values):.2f}** | {min(values):.2f} to {max(values):.2f}"
