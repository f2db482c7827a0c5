"""Train the model for one run of params.yaml.

    python -m stages.train long data/flat models/long costs/long.csv curves/long.csv

The same settings give the same bytes. A training that was killed goes on from its last checkpoint.
"""

from pathlib import Path

from common.config import load_config
from common.results import save_summary
from common.splits import load_description, load_split
from stages.train.checkpoint import checkpoint_path, mark_complete
from stages.train.reporter import report
from support.command_line import read_paths
from support.inputs import run_stage
from support.requirements import check_requirements

ARGUMENTS = "run flat model costs curves"


def main() -> None:
    check_requirements(Path(__file__).with_name("requirements.txt"))
    name, flat, model, costs, curves = read_paths("stages.train", __doc__, ARGUMENTS)
    config, files = load_config(), [flat / "train.npz", flat / "validation.npz"]
    iterations = config.run(str(name)).iterations
    splits = {path.stem: load_split(path) for path in files}
    classes = len(load_description(flat / "description.json").classes)
    checkpoint = checkpoint_path(str(name), config, files)
    # Imported here because a framework takes seconds to start: wrong input is reported first.
    from stages.train.train import train

    with report(str(name), config, costs, curves) as reporter:
        summary = train(config, iterations, splits, classes, model, reporter, checkpoint)
        save_summary(model, summary)
    mark_complete(checkpoint)


if __name__ == "__main__":
    run_stage(main)
