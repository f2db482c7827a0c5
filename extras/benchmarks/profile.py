"""Measure where the time of an iteration goes, kernel by kernel.

    python -m extras.benchmarks.profile

Uses TensorFlow's own profiler, over a few hundred iterations after the first. Half a minute.
Writes profile.md into this folder.
"""

import tempfile
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from common.atomic import atomic_write
from common.command_line import argument_parser, echo, run
from common.config import Config, load_config
from common.splits import Split, load_split
from extras.benchmarks import report
from extras.benchmarks.measurement import machine

ITERATIONS = 500
# The event around all kernels; if a product has two threads, it is cut into several.
WHOLE = "ThunkExecutor::Execute"


def profile(config: Config, examples: Split) -> dict[str, list[float]]:
    """Train under the profiler; return the durations of each event by its name, microseconds."""
    from stages.train.reproducible import tf
    from stages.train.trainer import Trainer

    trainer = Trainer(config.model, config.train, examples, len(config.dataset.classes))
    deque(trainer.train(ITERATIONS), maxlen=0)
    durations: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            deque(trainer.train(ITERATIONS), maxlen=0)
        for path in Path(folder).rglob("*.xplane.pb"):
            for name, duration in _events(path):
                durations[name].append(duration)
    return durations


def _events(path: Path) -> Iterator[tuple[str, float]]:
    # Not above: stages.train.reproducible must be the first to import TensorFlow.
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    for plane in xplane_pb2.XSpace.FromString(path.read_bytes()).planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name.split("#")[0]
            yield name, event.duration_ps / 1e6


def kernels(
    durations: Mapping[str, Sequence[float]], iterations: int
) -> list[tuple[str, float, float]]:
    """Return the kernels that every iteration runs once, the longest first.

    Returns
    -------
    list of tuple
        The name, and the median and the least of the durations.
    """
    once = [
        (name, median(calls), min(calls))
        for name, calls in durations.items()
        if name != WHOLE and 0.95 < len(calls) / iterations < 1.05
    ]
    return sorted(once, key=lambda kernel: -kernel[1])


def main() -> None:
    """Read the settings and the training split, profile, and write the page."""
    argument_parser("extras.benchmarks.profile", __doc__).parse_args()
    config = load_config()
    durations = profile(config, load_split(Path("data/flat/train.npz")))
    rows = kernels(durations, ITERATIONS)
    context = {
        "processor": machine()["cpu_model_name"],
        "iterations": ITERATIONS,
        "kernels": rows,
        "products": [row for row in rows if row[0].startswith("MatMul")],
    }
    path = report.HERE / "profile.md"
    atomic_write(path, report.render("profile.md", context).encode())
    echo(f"{path}: written")


if __name__ == "__main__":
    run(main)
