r"""Show the results: figures, one page with all of them, and a model card.

    python -m stages.report data/flat models costs curves metrics plots/predictions \
        plots/figures plots/report.html MODEL_CARD.md

A few seconds for two runs. All files depend on the inputs only, bit for bit. A comparison with
another revision would not, so `python -m commands.summary` prints it.
"""

from common.config import load_config
from stages.report.run_results import load_report_data
from support.command_line import echo, read_paths
from support.files import atomic_write
from support.inputs import run_stage


def main() -> None:
    flat, models, costs, curves, metrics, predictions, folder, page, card = read_paths(
        "stages.report", __doc__, "flat models costs curves metrics predictions figures page card"
    )
    data = load_report_data(
        load_config(),
        flat=flat,
        models=models,
        costs=costs,
        curves=curves,
        metrics=metrics,
        predictions=predictions,
    )
    # Imported here because matplotlib takes a second to start: wrong input is reported first.
    from stages.report.report import draw, render

    figures = draw(data)
    for name, figure in figures.items():
        atomic_write(folder / f"{name}.png", figure.png)
    atomic_write(page, render("report.html", data, figures).encode())
    atomic_write(card, render("model_card.md", data, figures).encode())
    echo(f"{page}: open it in a browser; {card} is the model card")


if __name__ == "__main__":
    run_stage(main)
