"""Commands are measured one by one; measurements become ratios, a page and a column."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.config import load_config
from extras.benchmarks import __main__ as benchmarks
from extras.benchmarks import hooks, measurement
from extras.benchmarks.preparation import repeat_examples
from extras.benchmarks.report import GROUPS, page, ratios
from support.command_line import CommandError
from tests.synthetic import idx
from tests.workspace import ITERATIONS, ROOT, Workspace

EMPTY = {"machine": {}, "iterations": ITERATIONS, "rounds": [], "failures": []}


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "data/raw").exists(), reason="needs data/raw: run `make repro`")
def test_every_case_can_be_measured() -> None:
    """A quick run measures each command whose packages are installed; each baseline learns."""
    command = [sys.executable, "-m", "extras.benchmarks", "--quick"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    (measured,) = json.loads((benchmarks.TEMPORARY / "results.json").read_bytes())["rounds"]
    for group in GROUPS.values():
        for case, command in {**group["cases"], **group.get("baselines", {})}.items():
            if (ROOT / ".venv-bench").exists() or ".venv-bench" not in command:
                assert f"{case}/seconds" in measured, process.stdout
    assert min(value for name, value in measured.items() if name.endswith("/correct")) > 5000


def test_command_is_measured_without_the_settings_of_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory and a printed line of JSON are those of the command, not of its caller."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # More than the process that runs the tests has ever had.
    command = """python -c "content = bytearray(2_500_000_000)"
        echo "{\\"threads\\": \\"${OMP_NUM_THREADS:-not set}\\", \\"short\\": $short}" """
    measured = measurement.measure(command, tmp_path, ITERATIONS)
    assert str(measured["threads"]) == "not set"
    assert measured["short"] == ITERATIONS["short"]
    assert measured["peak_bytes"] > 2_500_000_000
    assert measurement.measure("true", tmp_path, {}).keys() == {"seconds"}


def test_command_that_fails_or_hangs_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the exit status and the end of what was printed."""
    with pytest.raises(CommandError, match="exit status 3: no luck"):
        measurement.measure("echo no luck; exit 3", tmp_path, {})
    monkeypatch.setattr(measurement, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(CommandError, match="exit status 124"):
        measurement.measure("sleep 60", tmp_path, {})


def test_examples_are_repeated() -> None:
    """An IDX file holds the same examples three times, whatever their shape."""
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert repeat_examples(idx(images), 3) == idx(np.concatenate([images] * 3))


def test_ratio_is_that_of_the_rounds_that_measured_both_values() -> None:
    """Round by round; the page has the median and the range, and says what was not measured."""
    uv, pip = "environment by uv/seconds", "environment by pip/seconds"
    rounds = [{uv: 4.0, pip: 2.0}, {uv: 3.0, pip: 3.0}, {uv: 9.0, pip: 3.0}, {uv: 5.0}]
    assert ratios(pd.DataFrame(rounds))["environment by uv / by pip"].tolist() == [2.0, 1.0, 3.0]
    text = page(EMPTY | {"rounds": rounds})
    assert "| environment by uv / by pip | 2.00 (1.00 to 3.00) |\n" in text
    assert "| experiment / cold repro | not measured |\n" in text
    assert "| cold repro | not measured |  |  |\n" in text


def test_committed_page_is_that_of_the_committed_results() -> None:
    """A new template makes this fail until the page is rendered again."""
    results = json.loads(hooks.RESULTS.read_bytes())
    assert page(results) == hooks.RESULTS.with_suffix(".md").read_text(encoding="utf-8")


def test_case_that_fails_is_reported_and_the_others_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page and the file of results have what was measured, and why the rest was not."""
    monkeypatch.setattr(benchmarks, "TEMPORARY", tmp_path)
    group = {"setup": "touch file", "cases": {"evaluate": "false", "report": "test -f file"}}
    results: dict[str, Any] = EMPTY | {"rounds": [{}], "failures": []}
    benchmarks.measure_group(group, results)
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "- evaluate, round 1: exit status 1" in text
    assert "| evaluate | not measured |" in text
    assert "| report | 0.0" in text
    assert json.loads((tmp_path / "results.json").read_bytes()) == results


def test_time_is_shown_for_the_training_that_was_measured(
    finished: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The summary has the median, unless settings, model or number of iterations are others."""
    monkeypatch.setattr(hooks, "RESULTS", finished.path / "results.json")
    measured = {"short": hooks.settings(load_config(), "short")}
    rounds = [{"train short/seconds": seconds} for seconds in (1, 5, 2)]
    hooks.RESULTS.write_text(json.dumps({"rounds": rounds, "settings": measured}))

    def column(**changes: object) -> object:
        for place, value in changes.items():
            section, _, setting = place.partition("_")
            finished.params[section][setting] = value
        finished.write()
        return hooks.summary_columns(load_config()).get("Time")

    run = finished.params["runs"]["short"]
    other = run | {"iterations": 7}
    assert column(train_seed=7, runs_new=other) == {"short": "2.0 s"}
    assert column(runs_short=other) is None
    assert column(runs_short=run, train_batch_size=7) is None
    assert column(train_batch_size=64) == {"short": "2.0 s"}
    (finished.path / "models").rename(finished.path / "elsewhere")
    assert column() is None
