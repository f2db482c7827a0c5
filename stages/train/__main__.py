"""Train the model for one run of params.yaml.

    python -m stages.train long data/flat models/long costs/long.csv

10,000 iterations take a few seconds after TensorFlow has started, and reach 97 % or more on the
test images; 1,000 reach 95 % or more. The same settings give the same bytes, every time, on
any x86-64 processor with AVX2.
"""

from common.arrays import save_arrays
from common.config import load_config
from common.splits import load_description, load_split
from stages.train.train import format_costs, train
from support.command_line import read_paths, run
from support.files import atomic_write

PATHS = {
    "run": "a name under `runs` in params.yaml",
    "flat": "folder of the splits: data/flat",
    "model": "folder for the trained model: models/RUN",
    "costs": "for the cost of each iteration: costs/RUN.csv",
}


def main() -> None:
    name, flat, model, table = read_paths("stages.train", __doc__, PATHS)
    config = load_config()
    iterations = config.run(str(name)).iterations
    examples = load_split(flat / "train.npz")
    classes = len(load_description(flat / "description.json").classes)
    weights, costs = train(config, iterations, examples, classes)
    save_arrays(model / "weights.npz", weights)
    atomic_write(table, format_costs(costs).encode())


if __name__ == "__main__":
    run(main)
