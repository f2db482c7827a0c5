"""Write the page of measurements."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import StrictUndefined, Template

from support.yaml_file import read_yaml

HERE = Path(__file__).parent
GROUPS: dict[str, Any] = read_yaml(HERE / "cases.yaml")


def page(results: Mapping[str, Any]) -> str:
    """Return the page in Markdown, from the content of results.json."""
    rounds = pd.DataFrame(results["rounds"])
    text, medians = (HERE / "results.md.j2").read_text("utf-8"), rounds.median().to_dict()
    template: Template = Template(text, undefined=StrictUndefined, trim_blocks=True)
    return template.render(results, groups=GROUPS, medians=medians, ratios=ratios(rounds))


def ratios(rounds: pd.DataFrame) -> dict[str, pd.Series]:
    """Return ratios by their titles, one value for each round that measured both of its values.

    Those of the baselines have their names, and compare an iteration with the project's. `rounds`
    has one row per round, and columns such as "cold repro/seconds".
    """
    values = defaultdict(lambda: pd.Series(dtype=float), dict(rounds))
    cold, iteration = values["cold repro/seconds"], values["the project/seconds_per_iteration"]
    keras = [values[f"Keras with autologging, {name}/seconds"] for name in ("short", "long")]
    pip, uv = values["environment by pip/seconds"], values["environment by uv/seconds"]
    series = {
        "environment by uv / by pip": uv / pip,
        "cold repro / two Keras scripts with autologging": cold / (keras[0] + keras[1]),
        "experiment / cold repro": values["experiment/seconds"] / cold,
        "with ten times the data / cold repro": values["cold repro, ten times/seconds"] / cold,
    }
    for name in GROUPS["Stages and processes"]["baselines"]:
        series[name] = values[f"{name}/seconds_per_iteration"] / iteration
    return {title: ratio.dropna() for title, ratio in series.items()}
