"""Evaluate every run: accuracies, per-class measures, confusion matrix, test predictions.

    python -m stages.evaluate data/flat models metrics plots/predictions

About three seconds for two runs. Fails if a folder holds files of other runs.
"""

from common.config import load_config
from common.model import Model
from common.results import save_results
from common.splits import load_description, load_splits
from common.tables import save_csv
from stages.evaluate.evaluate import check_leftovers, evaluate, results, tables
from support.command_line import echo, read_paths, run
from support.files import reading

PATHS = {
    "flat": "folder of the splits: data/flat",
    "models": "folder of the trained models: models",
    "metrics": "folder for the results: metrics",
    "predictions": "folder for the predictions: plots/predictions",
}


def main() -> None:
    flat, models, metrics, predictions = read_paths("stages.evaluate", __doc__, PATHS)
    runs, splits = load_config().runs, load_splits(flat)
    check_leftovers(models, runs)
    evaluations = {}
    for name in runs:
        with reading(models / name):
            model = Model.load(models / name)
        evaluations[name] = evaluate(model, splits)
        save_csv(predictions / f"{name}.csv", evaluations[name].predictions)
        echo(f"{name}: test accuracy {evaluations[name].accuracies['test']:.2%}")
    save_results(metrics / "accuracy.json", results(evaluations, runs))
    classes = len(load_description(flat / "description.json").classes)
    for name, table in tables(evaluations, classes).items():
        save_csv(metrics / f"{name}.csv", table)


if __name__ == "__main__":
    run(main)
