"""Say where the time of an iteration goes: kernel by kernel, and what of it is waiting.

    python -m extras.benchmarks.profile data/flat

With TensorFlow's own profiler, over a few hundred iterations after the first; then two trainings
side by side, which share the time that one alone waits; and what it costs that the bytes are the
same everywhere. Two minutes. It writes extras/benchmarks/profile.md. A kernel's name is XLA's: MatMul is a
matrix product, `divide_subtract`, `multiply_add` and the like are parts of Adam or of the layers,
fused.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict, deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from common import arrays
from common.atomic import atomic_write
from common.command_line import argument_parser, echo, run
from common.config import load_config
from extras.benchmarks import processes
from extras.benchmarks.cases import LONG, ROOT, SHORT
from stages.report import pages
from stages.track import provenance
from stages.train.network import Trainer

ITERATIONS = 500
# Without the profiler: so many iterations, so often.
TIMED, PAIRS = 1000, 7
SHOWN = 12
WRITTEN = Path(__file__).parent / "profile.md"
# The event around all kernels; where a product has two threads it is cut into several.
WHOLE = "ThunkExecutor::Execute"


@dataclass(frozen=True)
class Kernel:
    """A kernel, and how long one call of it takes: the median and the quickest, microseconds."""

    name: str
    median: float
    least: float


def kernels(durations: Mapping[str, list[float]], iterations: int) -> list[Kernel]:
    """Choose the kernels that every iteration runs once; the longest first.

    Parameters
    ----------
    durations
        Of each call, by the kernel's name, in microseconds.
    iterations
        How many there were.
    """
    found = [
        Kernel(name, median(calls), min(calls))
        for name, calls in durations.items()
        if name != WHOLE and 0.95 < len(calls) / iterations < 1.05
    ]
    return sorted(found, key=lambda kernel: -kernel.median)


def durations(training: Trainer) -> dict[str, list[float]]:
    """Train under TensorFlow's profiler, and give the duration of each event in microseconds."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    found: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            list(training.train(ITERATIONS))
        for path in Path(folder).rglob("*.xplane.pb"):
            space = xplane_pb2.XSpace.FromString(path.read_bytes())
            for plane in space.planes:
                for line in plane.lines:
                    for event in line.events:
                        name = plane.event_metadata[event.metadata_id].name.split("#")[0]
                        found[name].append(event.duration_ps / 1e6)
    return found


def time_of_an_iteration(trainings: list[Trainer]) -> float:
    """Train side by side, and give the time divided by the iterations of all, microseconds."""
    start = perf_counter()
    with ThreadPoolExecutor(len(trainings)) as pool:
        list(pool.map(lambda training: deque(training.train(TIMED), maxlen=0), trainings))
    return (perf_counter() - start) * 1e6 / (TIMED * len(trainings))


def time_in_a_process(flat: Path, *options: str) -> float:
    """Train in a process of its own, and give the time of a later iteration, microseconds."""
    command = [sys.executable, "-m", "extras.benchmarks.peers.pipeline", *options, str(flat)]
    ended = processes.run([*command, str(SHORT), str(LONG)], ROOT)
    seconds = ended.result["seconds"]
    return float((seconds[str(LONG)] - seconds[str(SHORT)]) * 1e6 / (LONG - SHORT))


def main() -> None:
    """Read the argument, measure, and write the page."""
    parser = argument_parser("extras.benchmarks.profile", __doc__)
    parser.add_argument("flat", type=Path, help="where the arrays are: data/flat")
    flat = parser.parse_args().flat
    config = load_config()
    examples = arrays.load_split(flat / "train.npz")
    trainings = [Trainer(config.train, examples, len(config.dataset.classes)) for _ in range(2)]
    for training in trainings:
        list(training.train(ITERATIONS))
    timed = [
        (time_of_an_iteration(trainings[:1]), time_of_an_iteration(trainings)) for _ in range(PAIRS)
    ]
    costs = [(time_in_a_process(flat), time_in_a_process(flat, "--plain")) for _ in range(PAIRS)]
    found = kernels(durations(trainings[0]), ITERATIONS)
    shown, rest = found[:SHOWN], found[SHOWN:]
    products = [kernel for kernel in found if kernel.name.startswith("MatMul")]
    context = {
        "processor": provenance.processor(),
        "iterations": ITERATIONS,
        "kernels": shown,
        "others": len(rest),
        "others_median": sum(kernel.median for kernel in rest),
        "products": len(products),
        "products_median": sum(kernel.median for kernel in products),
        "all_median": sum(kernel.median for kernel in found),
        "alone": median(alone for alone, _ in timed),
        "side_by_side": median(both for _, both in timed),
        "pairs": PAIRS,
        "equal": median(equal for equal, _ in costs),
        "plain": median(plain for _, plain in costs),
        "ratios": sorted(equal / plain for equal, plain in costs),
    }
    atomic_write(WRITTEN, pages.render("profile.md", context).encode())
    echo(f"{WRITTEN}: {len(found)} kernels")


if __name__ == "__main__":
    run(main)
