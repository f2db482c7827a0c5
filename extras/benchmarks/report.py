"""Write the page of measurements."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import StrictUndefined, Template

from extras.benchmarks.cases import CASES

HERE = Path(__file__).parent


def page(results: Mapping[str, Any]) -> str:
    """Return the page in Markdown, from the content of results.json."""
    rounds = pd.DataFrame(results["rounds"])

    def cell(name: str, digits: int = 2, scale: float = 1) -> str:
        return f"{rounds[name].median() * scale:,.{digits}f}" if name in rounds else ""

    targets = [
        (title, target.get("at_most", ""), spread(target, rounds))
        for title, target in CASES["targets"].items()
    ]
    template: Template = Template(
        (HERE / "results.md.j2").read_text(encoding="utf-8"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return template.render(results, targets=targets, groups=CASES["groups"], cell=cell)


def spread(target: Mapping[str, Any], rounds: pd.DataFrame) -> str:
    """Return the median and the range of a target, over the rounds in which it was measured.

    There is one row per round, and a column per value, such as "cold repro/seconds".
    """
    value, less, others = target["value"], target.get("less"), target.get("divided_by", [])
    rounds = rounds.reindex(columns=[value, less, *others])
    differences = rounds[value] - (rounds[less] if less else 0)
    divisors = rounds[others].sum(axis="columns", skipna=False) if others else 1
    values = (differences / divisors).dropna()
    if values.empty:
        return "not measured | "
    return f"**{values.median():.2f}** | {values.min():.2f} to {values.max():.2f}"
