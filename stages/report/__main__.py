r"""Show what was measured: pictures, one page with all of them, and a model card.

    python -m stages.report data/flat/test.npz models costs metrics plots/predictions \
        plots/figures plots/report.html MODEL_CARD.md

About six seconds for two runs. All three follow from the inputs alone, byte for byte; what changed
since another revision does not, and is therefore said by `python -m commands.summary`.
"""

from __future__ import annotations

from pathlib import Path

from common import arrays, results
from common.atomic import atomic_write
from common.command_line import argument_parser, echo, progress, run
from common.config import Config, StrictModel, load_config
from common.results import ACCURACY
from stages.report import calibration as uncertainty
from stages.report import pages
from stages.report import run_results as evidence


def _parameters(config: Config) -> dict[str, object]:
    """Give the parameters by their names, as DVC writes them."""
    sections: dict[str, StrictModel] = {
        "flatten": config.flatten,
        "train": config.train,
        "report": config.report,
        **{f"runs.{name}": section for name, section in config.runs.items()},
    }
    every = {
        f"{name}.{key}": list(value) if isinstance(value, tuple) else value
        for name, section in sections.items()
        for key, value in section.model_dump().items()
    }
    return {"dataset": config.dataset_name, **every}


def main() -> None:
    """Read the arguments, the settings and all results; write pictures, page and card."""
    parser = argument_parser("stages.report", __doc__)
    parser.add_argument("test", type=Path, help="the test images: data/flat/test.npz")
    parser.add_argument("models", type=Path, help="where each run's weights are: models")
    parser.add_argument("costs", type=Path, help="where each run's costs are: costs")
    parser.add_argument("metrics", type=Path, help="where the results are: metrics")
    parser.add_argument("predictions", type=Path, help="where answers are: plots/predictions")
    parser.add_argument("pictures", type=Path, help="where pictures go: plots/figures")
    parser.add_argument("page", type=Path, help="the page: plots/report.html")
    parser.add_argument("card", type=Path, help="the model card: MODEL_CARD.md")
    arguments = parser.parse_args()
    config = load_config()
    table = list(pages.rows(config, results.load(arguments.metrics / ACCURACY.name)))
    test = arrays.load_split(arguments.test)
    runs = {name: evidence.read(name, arguments, config) for name in config.runs}
    for name, found in runs.items():
        evidence.check(name, found, test, config)

    # Here, and not above: matplotlib takes a second to start, and what is wrong is said before.
    from stages.report import figures as gallery

    images = test.images.reshape(-1, *config.dataset.image_shape)
    drawn: dict[str, dict[str, gallery.Picture]] = {}
    with progress("drawing", len(runs)) as advance:
        for name, found in runs.items():
            drawn[name] = gallery.pictures(name, found, images, config)
            advance(1)
    cost = gallery.cost(runs, "Cost of each iteration of every run", config)
    atomic_write(arguments.pictures / "costs.png", cost.png)
    for name, by_name in drawn.items():
        for file, picture in by_name.items():
            atomic_write(arguments.pictures / name / f"{file}.png", picture.png)
    bins = config.report.calibration_bins
    context = {
        "settings": config,
        "parameters": _parameters(config),
        "rows": table,
        "evidence": runs,
        "begin_alike": evidence.begin_alike(runs),
        "calibration_errors": {
            name: uncertainty.expected_calibration_error(found.reliability(bins))
            for name, found in runs.items()
        },
        "cost": cost,
        "pictures": drawn,
    }
    atomic_write(arguments.page, pages.render("report.html", context).encode())
    atomic_write(arguments.card, pages.render("model_card.md", context).encode())
    echo(f"{arguments.pictures}: {1 + sum(map(len, drawn.values()))} pictures")
    echo(f"{arguments.page}: open it in a browser; {arguments.card} is the model card")


if __name__ == "__main__":
    run(main)
