"""Which results are tracked: those of models that were evaluated, and of earlier commits."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stages.track.provenance import COMMIT
from tests.project import Project


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("data/flat/test.npz", "data/flat"),
        ("models/short/training.json", "models, models/short"),
        ("metrics/accuracy.json", "metrics, metrics/accuracy.json"),
        ("plots/figures/costs.png", "plots/figures"),
    ],
)
def test_results_that_do_not_belong_together_are_not_tracked(
    project_copy: Project, file: str, changed: str
) -> None:
    """As between the stages of `dvc repro`, when dvc.lock is newer than some of them."""
    path = project_copy.path / file
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"\n")
    completed = project_copy.run("python", "-m", "stages.track")
    assert completed.status == 2
    assert completed.error() == f"{changed}: not up to date; run `dvc repro`"
    assert not (project_copy.path / "mlflow.db").exists()


def test_results_are_tracked_while_code_and_settings_are_edited(
    project_copy: Project, new_store: Path
) -> None:
    """They are still those of the last `dvc repro`."""
    shutil.copy(new_store, project_copy.path)
    project_copy.edit("params.yaml", "seed: 1\n  log", "seed: 2\n  log")
    (project_copy.path / "stages/train/batches.py").write_text("edited\n")
    assert project_copy.do("python", "-m", "stages.track").count(": tracked") == 2


def test_what_earlier_commits_and_experiments_keep_is_tracked(
    project_copy: Project, new_store: Path
) -> None:
    """Each result once, with its commit; one of another version of the project is left out."""
    shutil.copy(new_store, project_copy.path)
    first = project_copy.do("git", "rev-parse", "HEAD").strip()
    branch = project_copy.do("git", "branch", "--show-current").strip()
    project_copy.do("git", "checkout", "--quiet", "--detach")
    project_copy.do("git", "branch", "--quiet", "--delete", "--force", branch)
    lock = (project_copy.path / "dvc.lock").read_text("utf-8")
    project_copy.edit("dvc.lock", "  fetch:", "  other:")
    project_copy.commit()
    second = project_copy.do("git", "rev-parse", "HEAD").strip()
    (project_copy.path / "dvc.lock").write_text(lock, "utf-8")
    # As if the last `dvc repro` had had only one run.
    accuracy = project_copy.path / "metrics/accuracy.json"
    results = json.loads(accuracy.read_text("utf-8"))
    accuracy.write_text(json.dumps({"long": results["long"]}), "utf-8")
    reference = f"refs/exps/{first[:2]}/{first[2:]}/brave"
    project_copy.do("git", "update-ref", reference, first)
    command = ("python", "-m", "stages.track", "--all")
    out = project_copy.do(*command, DVC_STAGE="track").splitlines()
    summaries = {
        run: f"{run}: {result['iterations']} iterations, test {result['test']:.2%}"
        for run, result in results.items()
    }
    assert out == [
        f"{summaries['long']}: tracked",
        f"{first[:8]}: {summaries['short']}: tracked",
        f"{first[:8]}: {summaries['long']}: in MLflow already",
        f"{second[:8]}: left out: dvc.lock: short belongs to another version of this project",
        f"brave: {summaries['short']}: in MLflow already",
        f"brave: {summaries['long']}: in MLflow already",
    ]
    with closing(sqlite3.connect(project_copy.path / "mlflow.db")) as store:
        query = "SELECT name, value FROM runs JOIN tags USING (run_uuid) WHERE key = ?"
        assert dict(store.execute(query, (COMMIT,))) == {"long": second, "short": first}
