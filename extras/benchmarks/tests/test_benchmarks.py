"""Commands are measured one by one; measurements become ratios, a page and a column."""

import json
import shlex
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from common.config import load_config
from extras.benchmarks import __main__ as benchmarks
from extras.benchmarks import hooks, measurement, places, report
from extras.benchmarks.cases import CASES, Group, load_groups
from support.command_line import CommandError
from tests.fixtures import ROOT
from tests.synthetic import idx

ITERATIONS = {"short": 1000, "long": 10_000}
BENCH_PYTHON = ROOT / ".venv-bench/bin/python"


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / places.RAW).exists(), reason="needs data/raw: run `make repro`")
def test_every_case_can_be_measured() -> None:
    """A quick run measures each command whose packages are installed; each baseline learns."""
    command = [sys.executable, "-m", "extras.benchmarks", "--quick"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    results = json.loads((places.TEMPORARY / "results.json").read_bytes())
    (measured,) = results["rounds"]
    commands = [case for group in load_groups(ITERATIONS).values() for case in group.cases.items()]
    expected = {
        f"{case}/seconds"
        for case, command in commands
        if BENCH_PYTHON.exists() or str(BENCH_PYTHON) not in command
    }
    assert expected <= measured.keys(), process.stdout
    correct = [value for name, value in measured.items() if name.endswith("/correct")]
    assert min(correct) > 5000
    assert bool(process.returncode) == bool(results["failures"])


def test_command_is_measured_without_the_settings_of_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory and a printed line of JSON are those of the command, not of its caller."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # More than the process that runs the tests has ever had.
    script = (
        "import json, os; kept = bytearray(2_500_000_000); print('words');"
        "print(json.dumps({'threads': os.environ.get('OMP_NUM_THREADS', 'not set')}))"
    )
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(script)}"
    measured = measurement.measure(command, tmp_path)
    assert measured["threads"] == "not set"
    assert measured["peak_bytes"] > 2_500_000_000
    assert measurement.measure("true", tmp_path).keys() == {"seconds"}


def test_command_that_fails_or_hangs_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the exit status and the end of what was printed."""
    with pytest.raises(CommandError, match="exit status 3: no luck"):
        measurement.measure("sh -c 'echo no luck; exit 3'", tmp_path)
    monkeypatch.setattr(measurement, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(CommandError, match="exit status 124"):
        measurement.measure("sleep 60", tmp_path)


def test_command_leaves_no_process_behind(tmp_path: Path) -> None:
    """What it has started in the background ends with it."""
    measurement.measure("sh -c 'sleep 60 & echo $! > pid'", tmp_path)
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(int((tmp_path / "pid").read_text()))
        deadline = time.monotonic() + 10
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_examples_are_repeated(tmp_path: Path) -> None:
    """An IDX file holds the same examples three times, whatever their shape."""
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "idx").write_bytes(idx(images))
    places.repeat_examples(tmp_path / "idx", 3)
    assert (tmp_path / "idx").read_bytes() == idx(np.concatenate([images] * 3))


def test_target_is_compared_with_the_median_of_the_rounds() -> None:
    """A round in which one of its cases failed is left out."""
    target = {"value": "a", "less": "b", "divided_by": ["c", "d"]}
    rounds = [
        {"a": 5.0, "b": 1.0, "c": 1.0, "d": 1.0},
        {"a": 4.0, "b": 1.0, "c": 2.0, "d": 1.0},
        {"a": 9.0, "b": 0.0, "c": 2.0, "d": 1.0},
        {"a": 5.0, "b": 1.0, "c": 1.0},
    ]
    assert report.spread(target, pd.DataFrame(rounds)) == "**2.00** | 1.00 to 3.00"


def test_targets_name_values_that_are_measured() -> None:
    """Each names a case and a value of it."""
    cases = {case for group in load_groups(ITERATIONS).values() for case in group.cases}
    for target in CASES["targets"].values():
        for name in (target["value"], target.get("less"), *target.get("divided_by", [])):
            assert name is None or name.partition("/")[0] in cases


def test_case_that_fails_is_reported_and_the_others_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page and the file of results have what was measured, and why the rest was not."""
    monkeypatch.setattr(places, "TEMPORARY", tmp_path)
    monkeypatch.setattr(places, "here", lambda _: nullcontext(tmp_path), raising=False)
    groups = {"Some": Group("here", {"evaluate": "false", "report": "true"})}
    results = {"machine": {}, "iterations": ITERATIONS, "rounds": [], "failures": []}
    benchmarks.measure_round(groups, results, lambda _: None)
    page = (tmp_path / "results.md").read_text()
    assert "- evaluate, round 1: exit status 1" in page
    assert "| evaluate | not measured |" in page
    assert "| report | " in page
    assert "| report | not measured |" not in page
    assert json.loads((tmp_path / "results.json").read_bytes()) == results


def test_summary_has_a_column_of_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run has the median time of its process; without measurements there is no column."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(hooks, "RESULTS", tmp_path / "results.json")
    assert hooks.summary_columns(load_config()) == {}
    rounds = [{"train short/seconds": seconds} for seconds in (1, 5, 2)]
    hooks.RESULTS.write_text(json.dumps({"rounds": rounds}))
    assert hooks.summary_columns(load_config()) == {"Time": {"short": "2.0 s"}}
