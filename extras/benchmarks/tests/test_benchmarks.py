"""The benchmarks: each baseline learns, and measurements become a page and a column."""

import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from common.command_line import CommandError
from common.config import Config, load_config
from common.splits import Split, save_split
from extras.benchmarks import __main__ as benchmarks
from extras.benchmarks import hooks, measurement, places, profile, report
from extras.benchmarks.baselines import matrix_products
from extras.benchmarks.cases import BASELINE, BASELINES, PYTHON, STOPS, WITH_PACKAGES, groups
from tests.fixtures import ROOT
from tests.synthetic import idx

EXAMPLES = 256


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Config:
    """Return the project's settings."""
    monkeypatch.chdir(ROOT)
    return load_config()


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Return a folder with splits that are easy to learn: each class is bright elsewhere."""
    labels = np.arange(EXAMPLES, dtype=np.uint8) % 10
    features = np.repeat(np.eye(10, dtype=np.uint8)[labels] * 200, 79, axis=1)[:, :784]
    for name in ("train", "test"):
        save_split(tmp_path / f"{name}.npz", Split(features, labels), features="images")
    return tmp_path


def _measured(path: Path, config: Config, without: str) -> Path:
    """Write a round in which everything of every case but one was 2."""
    for case in (case for group in groups(config) for case in group.cases):
        if case.name != without:
            names = ("seconds", "peak_bytes", "seconds_per_iteration", "correct")
            measurement.add(path, case.name, dict.fromkeys(names, 2), {"cpu_model_name": "A CPU"})
    return path


COMMANDS = {case.name: case.command.removesuffix(STOPS) + "20 40" for case in BASELINES}
COMMANDS["autologging"] = f"{WITH_PACKAGES} {BASELINE} keras_fit:with_autologging 40"


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_baseline_learns(name: str, flat: Path) -> None:
    """Each baseline runs, reports its time at each stop, and has learned what is easy."""
    if not shutil.which(COMMANDS[name].split()[0]):
        pytest.skip("`make bench-baselines` was not run")
    measured = measurement.measure(f"{COMMANDS[name]} --flat {flat}", ROOT)
    assert measured["seconds_40"] > 0
    if name != "the machine's limit":
        assert measured["correct"] > 0.9 * EXAMPLES


def test_operations_are_those_of_the_products() -> None:
    """A 3-2-1 network has 6 + 2 weights, each used three times but those of the first layer."""
    assert matrix_products.operations_per_iteration([6, 2], 5) == 2 * 5 * (3 * (6 + 2) - 6)


def test_a_command_is_measured_without_the_settings_of_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory and a printed line of JSON are those of the command."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    script = (
        "import json, os; kept = bytearray(300_000_000); print('words');"
        "print(json.dumps({'threads': os.environ.get('OMP_NUM_THREADS', 'not set')}))"
    )
    measured = measurement.measure(f"{PYTHON} -c {shlex.quote(script)}", tmp_path)
    assert measured["threads"] == "not set"
    assert measured["peak_bytes"] > 300_000_000


def test_the_memory_of_a_command_is_not_that_of_its_caller(tmp_path: Path) -> None:
    """A small command is small, also where a large process measures it."""
    caller = np.ones(20_000_000)
    assert measurement.measure("true", tmp_path)["peak_bytes"] < caller.nbytes


def test_a_command_that_fails_or_hangs_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the exit status and the end of what was printed."""
    with pytest.raises(CommandError, match="exit status 3: no luck"):
        measurement.measure("sh -c 'echo no luck; exit 3'", tmp_path)
    monkeypatch.setattr(measurement, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(CommandError, match="exit status 124"):
        measurement.measure("sleep 60", tmp_path)


def test_files_are_repeated_tenfold() -> None:
    """An IDX file holds the same examples ten times, whatever their shape."""
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert places.repeated(idx(images)) == idx(np.concatenate([images] * 10))


def test_a_ratio_is_of_medians() -> None:
    """The ratio is that of the medians to the sum of the others, with the range of rounds."""
    values = {"a: s": (1, 2, 4), "b: s": (2, 1, 6), "c: s": (2, 1, 2)}
    assert report.ratio(values, "s", "a", ["b", "c"]) == "0.50 (0.25 to 1.00)"


def test_the_page_has_each_case(tmp_path: Path, config: Config) -> None:
    """Every case has one row in the page; one that was not measured has no number."""
    page = report.page(_measured(tmp_path / "results.json", config, "PyTorch"), groups(config))
    for case in (case for group in groups(config) for case in group.cases):
        assert page.count(f"| {case.name} | ") == 1
    assert "| PyTorch | not measured |" in page
    assert "| set-up with uv | 2.00 | 0 | 1.00 (1.00 to 1.00) | set-up with pip |" in page


def test_the_summary_has_a_column_of_times(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run has the time of its process; without measurements there is no column."""
    monkeypatch.setattr(hooks, "RESULTS", tmp_path / "results.json")
    assert hooks.summary_columns(config) == {}
    _measured(hooks.RESULTS, config, without="train long")
    assert hooks.summary_columns(config) == {"Time": {"short": "2.0 s"}}


def test_a_trial_writes_beside_the_recorded_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --only a page of the chosen cases goes to the temporary folder."""
    monkeypatch.chdir(ROOT)
    recorded = (report.HERE / "results.md").read_bytes()
    monkeypatch.setattr(benchmarks, "TEMPORARY", tmp_path)
    monkeypatch.setattr(benchmarks, "MEASUREMENTS", tmp_path / "results.json")
    monkeypatch.setattr(benchmarks, "measure", lambda *_: {"seconds": 1.5, "peak_bytes": 2e6})
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--quick", "--only", "NumPy"])
    benchmarks.main()
    assert "| NumPy | not measured |" in (tmp_path / "results.md").read_text()
    assert (report.HERE / "results.md").read_bytes() == recorded


def test_a_profile_has_what_every_iteration_runs() -> None:
    """The longest kernel is first; what runs more or less often than once is not one."""
    durations = {"add": [2, 1, 3], "MatMul": [9, 7, 8], "once": [50], profile.WHOLE: [90, 90, 90]}
    assert profile.kernels(durations, iterations=3) == [("MatMul", 8, 7), ("add", 2, 1)]
