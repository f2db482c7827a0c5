"""Evaluate every run: accuracies, per-class measures, confusion matrix, test predictions.

    python -m stages.evaluate data/flat models metrics plots/predictions

About three seconds for two runs. Fails if a folder holds files of other runs.
"""

from common.config import load_config
from common.results import load_model, load_summary, save_results
from common.splits import load_description, load_splits
from common.tables import save_csv
from stages.evaluate.evaluate import check_leftovers, evaluate, result, tables
from support.command_line import echo, read_paths
from support.inputs import run_stage


def main() -> None:
    flat, models, metrics, tests = read_paths(
        "stages.evaluate", __doc__, "flat models metrics tests"
    )
    runs, splits = load_config().runs, load_splits(flat)
    check_leftovers(models, runs)
    results, predictions = {}, {}
    for name, params in runs.items():
        by_split = evaluate(load_model(models / name), splits)
        results[name] = result(by_split, load_summary(models / name), params)
        predictions[name] = by_split["test"]
        save_csv(tests / f"{name}.csv", predictions[name])
        echo(f"{name}: test accuracy {results[name].test:.2%}")
    save_results(metrics / "accuracy.json", results)
    classes = len(load_description(flat / "description.json").classes)
    for file, table in tables(predictions, classes).items():
        save_csv(metrics / f"{file}.csv", table)


if __name__ == "__main__":
    run_stage(main)
