r"""Show the results: figures, one page with all of them, and a model card.

    python -m stages.report data/flat models costs metrics plots/predictions \
        plots/figures plots/report.html MODEL_CARD.md

About six seconds for two runs. All files depend on the inputs only, bit for bit. A comparison with
another revision would not, so `python -m commands.summary` prints it.
"""

from pathlib import Path

import pandas as pd

from common.config import PARAMS, load_config
from stages.report.pages import ReportFigure, render
from stages.report.run_results import ReportData, load_report_data
from support.command_line import argument_parser, echo, progress, run
from support.files import atomic_write
from support.yaml_file import read_yaml


def parameters() -> dict[str, object]:
    """Return the parameters of params.yaml by their names, as DVC writes them."""
    row = pd.json_normalize(read_yaml(PARAMS), sep=".").iloc[0]
    return {str(name): value for name, value in row.items()}


def draw(data: ReportData) -> tuple[ReportFigure, dict[str, dict[str, ReportFigure]]]:
    """Draw the costs of all runs, and the figures of each run, by the names of run and file."""
    # Imported here because matplotlib takes a second to start: wrong input is reported first.
    from stages.report import figures, images

    # ADAPT: the figures of each run. Without images.py, figures.draw_run only.
    draw_run = (figures.draw_run, images.draw_run)
    by_run: dict[str, dict[str, ReportFigure]] = {name: {} for name in data.runs}
    with progress("drawing", len(data.runs)) as advance:
        for name, results in data.runs.items():
            for draw_figures in draw_run:
                by_run[name] |= draw_figures(data, results)
            advance(1)
    return figures.costs(data, list(data.runs.values())), by_run


def main() -> None:
    """Read the arguments, the settings and all results; write figures, page and card."""
    parser = argument_parser("stages.report", __doc__)
    parser.add_argument("flat", type=Path, help="folder of the splits: data/flat")
    parser.add_argument("models", type=Path, help="folder of each run's weights: models")
    parser.add_argument("costs", type=Path, help="folder of each run's costs: costs")
    parser.add_argument("metrics", type=Path, help="folder of the results: metrics")
    parser.add_argument("predictions", type=Path, help="folder of predictions")
    parser.add_argument("figures", type=Path, help="folder for the figures: plots/figures")
    parser.add_argument("page", type=Path, help="the page: plots/report.html")
    parser.add_argument("card", type=Path, help="the model card: MODEL_CARD.md")
    arguments = parser.parse_args()
    data = load_report_data(
        load_config(),
        arguments.flat,
        arguments.models,
        arguments.costs,
        arguments.metrics,
        arguments.predictions,
    )
    costs, by_run = draw(data)
    figures = {Path(name, file): by_run[name][file] for name in by_run for file in by_run[name]}
    for path, figure in {Path("costs"): costs, **figures}.items():
        atomic_write(arguments.figures / f"{path}.png", figure.png)
    context = {"data": data, "parameters": parameters(), "costs": costs, "figures": by_run}
    atomic_write(arguments.page, render("report.html", context).encode())
    atomic_write(arguments.card, render("model_card.md", context).encode())
    echo(f"{arguments.figures}: {len(figures) + 1} figures")
    echo(f"{arguments.page}: open it in a browser; {arguments.card} is the model card")


if __name__ == "__main__":
    run(main)
