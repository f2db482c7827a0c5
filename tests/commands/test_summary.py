"""The table of results, and what changed."""

import subprocess
from pathlib import Path

import pytest

from commands import summary
from common.results import ACCURACY, Result, save_results
from tests.workspace import ITERATIONS, Workspace

COMMIT = "git init -q; git add -A; git -c user.name=T -c user.email=t@e.org commit -qm Results"
PUBLISHED = [
    {"iterations": 20, "min_test_accuracy": 0.4, "test": 0.45},
    {"iterations": 200, "min_test_accuracy": 0.5},
]
TABLE = """\
| Run | Iterations | Test accuracy | Published | Seeds |
| --- | ---: | ---: | ---: | ---: |
| `short` | 20 | 50.00% | 45.00% | 30 |
| `long` | 200 | 75.00% | at least 50% |  |
"""


def _save(**tests: float) -> None:
    others = {"train": 0.75, "validation": 0.5, "min_test_accuracy": 0.4}
    results = {
        run: Result(iterations=ITERATIONS[run], test=test, **others) for run, test in tests.items()
    }
    save_results(ACCURACY, results)


@pytest.fixture(autouse=True)
def one_extra(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish figures of both runs, and let one extra add a column."""
    workspace.datasets["synthetic"]["published"] = PUBLISHED
    monkeypatch.setattr(summary, "call_hooks", lambda *_: [{"Seeds": {"short": "30"}}])


def test_changes_since_a_revision(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC's own table comes after that of the results, or a sentence if nothing changed."""
    monkeypatch.setenv("HOME", str(workspace.path))
    _save(short=0.5, long=0.75)
    stage = b"stages: {a: {cmd: 'true', metrics: [metrics/accuracy.json: {cache: false}]}}\n"
    workspace.put(".", {"dvc.yaml": stage})
    workspace.put(".dvc", {"config": b""})
    subprocess.run(["bash", "-ec", COMMIT], check=True)
    completed = workspace.run("commands.summary")
    assert completed.out == f"{TABLE}\nThe results are the same as those of `HEAD`.\n"
    _save(short=0.5, long=0.875)
    rows = workspace.run("commands.summary", "HEAD").out.splitlines()
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert ["metrics/accuracy.json", "long.test", "0.75", "0.875", "0.125"] in cells
    completed = workspace.run("commands.summary", "nowhere")
    assert completed.status == 1
    assert completed.error().startswith("cannot compare with nowhere: ")


def test_the_table_in_a_file_is_updated(workspace: Workspace) -> None:
    """What is around it stays; a file without a place for it is refused, and so are no results."""
    path = Path("README.md")
    _save(short=0.5)
    completed = workspace.run("commands.summary", "--update", path)
    problem = "metrics/accuracy.json: no result of long; run `dvc repro`"
    assert (completed.status, completed.error()) == (2, problem)
    _save(short=0.5, long=0.75)
    path.write_text("above\n<!-- results -->\nold\n<!-- /results -->\nbelow\n")
    assert workspace.run("commands.summary", "--update", path).status == 0
    expected = f"above\n<!-- results -->\n{TABLE}<!-- /results -->\nbelow\n"
    assert path.read_text() == expected
    path.write_text("<!-- results -->\n")
    assert workspace.run("commands.summary", "--update", path).error().startswith("README.md: ")
