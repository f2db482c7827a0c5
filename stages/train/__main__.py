"""Train the model for one run of params.yaml.

    python -m stages.train long data/flat models/long costs/long.csv curves/long.csv

The same settings give the same bytes. A training that was killed resumes from its last checkpoint.
"""

from common.config import load_config
from common.results import save_summary
from common.splits import load_description, load_split
from stages.train.checkpoint import checkpoint_path, mark_complete
from stages.train.reporter import report
from support.command_line import read_paths
from support.inputs import run_stage

ARGUMENTS = "run flat model costs curves"


def main() -> None:
    name, flat, model, costs, curves = read_paths("stages.train", __doc__, ARGUMENTS)
    config = load_config()
    iterations = config.run(str(name)).iterations
    files = [flat / file for file in ("train.npz", "validation.npz", "description.json")]
    splits = {path.stem: load_split(path) for path in files[:2]}
    classes = len(load_description(files[2]).classes)
    checkpoint = checkpoint_path(str(name), config, files)
    # Imported here because a framework takes seconds to start: wrong input is reported first.
    from stages.train.train import train

    with report(str(name), config, costs, curves) as reporter:
        summary = train(config, iterations, splits, classes, model, reporter, checkpoint)
        save_summary(model, summary)
    mark_complete(checkpoint)


if __name__ == "__main__":
    run_stage(main)
