"""The whole pipeline: dvc.yaml, and the data from stage to stage."""

import base64
import hashlib
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from common.arrays import load_arrays
from common.config import load_config
from common.results import load_results
from common.splits import SPLITS, load_description, load_split
from support.yaml_file import read_yaml
from tests.project import Project
from tests.synthetic import DESCRIPTION
from tests.untrained import save_untrained_model
from tests.workspace import ITERATIONS, RAW_FILES

UP_TO_DATE = "Data and pipelines are up to date.\n"


def test_repro_leaves_what_the_interface_promises(
    completed_project: Project, tmp_path: Path
) -> None:
    """Raw files, splits, weights, costs and accuracies, with their names and shapes."""
    path = completed_project.path
    assert {file.name: file.read_bytes() for file in (path / "data/raw").iterdir()} == RAW_FILES
    assert load_description(path / "data/flat/description.json") == DESCRIPTION
    for name in SPLITS:
        split = load_split(path / f"data/flat/{name}.npz")
        assert split.features.shape == (DESCRIPTION.examples[name], *DESCRIPTION.feature_shape)
        assert split.features.dtype == DESCRIPTION.feature_dtype
    save_untrained_model(tmp_path, seed=1)
    shapes = _shapes(tmp_path)
    for run, iterations in ITERATIONS.items():
        assert _shapes(path / "models" / run) == shapes
        costs = pd.read_csv(path / f"costs/{run}.csv")
        assert list(costs["iteration"]) == list(range(iterations))
        assert costs["cost"][-10:].mean() < costs["cost"][:10].mean()
    results = load_results(path / "metrics/accuracy.json")
    assert {run: result.iterations for run, result in results.items()} == ITERATIONS
    assert results["long"].test > 0.4, "chance is a third"
    assert completed_project.tracked_runs() == [(name, "FINISHED") for name in sorted(ITERATIONS)]


@pytest.fixture
def page(completed_project: Project, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the page; the project is the working directory."""
    monkeypatch.chdir(completed_project.path)
    return Path("plots/report.html").read_text("utf-8")


def _shapes(model: Path) -> dict[str, tuple[int, ...]]:
    weights = load_arrays(model / "weights.npz")
    return {name: array.shape for name, array in weights.items()}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_page_and_card_have_every_result(page: str) -> None:
    rates = re.findall(r"0\.\d{6}", Path("metrics/per_class.csv").read_text())
    expected = {f"{float(rate):.2%}" for rate in rates}
    for result in load_results(Path("metrics/accuracy.json")).values():
        values = (result.train, result.validation, result.test, result.min_test_accuracy)
        expected |= {f"{result.iterations:,}", *(f"{value:.2%}" for value in values)}
    expected |= {"CC0", "Nobody.", *load_config().dataset.files.values()}
    expected |= {_sha256(Path(f"models/{run}/weights.npz")) for run in ITERATIONS}
    for text in (re.sub(r'"data:[^"]*"', "", page), Path("MODEL_CARD.md").read_text("utf-8")):
        assert {words for words in expected if words not in text} == set()
        assert not re.search(r"MNIST|digit|tutorial|published|nan%", text, re.IGNORECASE)


def test_the_page_needs_no_other_file(page: str) -> None:
    """It shows every figure, with its content in words; no script runs."""
    assert not re.search(r"<(script|iframe|object|embed)|srcset=|@import|url\(|<p>\s*</p>", page)
    assert re.findall(r"<link .*", page) == ['<link rel="icon" href="data:,">']
    images = re.findall(r'<img src="data:image/png;base64,([^"]+)" alt="[^"]{20,}">', page)
    assert len(images) == page.count("<img")
    files = {path: path.read_bytes() for path in Path("plots/figures").rglob("*.png")}
    assert set(files.values()) == {base64.b64decode(image) for image in images}
    names = ("calibration", "confusion", "cost")
    expected = {f"{run}/{name}.png" for run in ITERATIONS for name in names} | {"costs.png"}
    assert {str(path.relative_to("plots/figures")) for path in files} >= expected


def test_nothing_is_written_elsewhere(completed_project: Project) -> None:
    """Neither in the user's home or /tmp, nor where git would see it; DVC's state is set to be."""
    assert list(completed_project.home.rglob("*")) == []
    assert [path.name for path in completed_project.temporary.iterdir()] == ["dvc"]
    assert completed_project.do("git", "status", "--short") == ""


def _changed_stages(project: Project) -> set[str]:
    return set(json.loads(project.do("dvc", "status", "--json", "--with-deps", "track")))


def test_only_code_that_can_change_a_byte_is_run_again(project_copy: Project) -> None:
    """A message is not; a model is trained again, but its data stay."""
    project_copy.edit("support/files.py", ": not found; run", ": missing; run")
    assert _changed_stages(project_copy) == set()
    first_line = "from __future__ import annotations\n"
    project_copy.edit("common/model.py", first_line, f"{first_line}# Edited.\n")
    expected = {"train@short", "train@long", "evaluate", "report", "track"}
    assert _changed_stages(project_copy) == expected


@pytest.mark.slow
def test_a_clone_is_up_to_date(project_copy: Project, tmp_path: Path) -> None:
    """Whatever compilers, editors and systems leave in it, until a setting changes."""
    clone = project_copy.clone(tmp_path / "clone")
    assert clone.do("dvc", "status", "report", "--with-deps") == UP_TO_DATE
    clone.do("python", "-m", "compileall", "-q", "common", "stages")
    for name in ("common/.model.py.swp", "stages/train/x.py~", "models/.DS_Store", "costs/._a"):
        (clone.path / name).touch()
    assert clone.do("dvc", "status", "report", "--with-deps") == UP_TO_DATE
    assert "points to spare" in clone.do("python", "-m", "commands.gate")
    assert "Running stage" not in clone.do("dvc", "repro", "report")
    clone.edit("params.yaml", "batch_size: 64", "batch_size: 32")
    error = clone.run("python", "-m", "commands.gate").error()
    assert "modified params.yaml train" in error
    assert "run `dvc repro`" in error


def _set_git_user(project: Project) -> None:
    for name, value in (("user.name", "T"), ("user.email", "t@example.org")):
        project.do("git", "config", name, value)


@pytest.mark.slow
def test_an_experiment(project_copy: Project) -> None:
    """What was changed is listed with the accuracies that were reached, and nothing else."""
    before = load_results(project_copy.path / "metrics/accuracy.json")["short"].test
    project_copy.do("dvc", "exp", "run", "--name", "slower", "-S", "train.learning_rate=0.000001")
    after = load_results(project_copy.path / "metrics/accuracy.json")["short"].test
    _set_git_user(project_copy)
    project_copy.do("dvc", "exp", "run", "--queue", "--name", "waits", "-S", "train.seed=7")
    table = [line.split() for line in project_copy.do("make", "compare").splitlines()]
    (titles,) = (cells for cells in table if "experiment" in cells)
    (slower,) = (cells for cells in table if "slower" in cells)
    (waits,) = (cells for cells in table if "waits" in cells)
    assert titles[3:] == ["train.learning_rate", "train.seed", "short.test", "long.test"]
    assert slower[1:3] == ["1e-06", "1"]
    assert float(slower[3]) == pytest.approx(after, abs=1e-4) != before
    assert waits == ["waits", "(queued)", "1e-06", "7"]


@pytest.mark.slow
def test_two_branches_that_trained_are_merged(project_copy: Project) -> None:
    """Git keeps our results whole and reports conflicts; `dvc repro` makes those of the merge."""
    _set_git_user(project_copy)
    project_copy.do("git", "checkout", "--quiet", "-b", "theirs")
    project_copy.edit("params.yaml", "validation_examples: 100", "validation_examples: 90")
    project_copy.do("dvc", "repro", "report")
    project_copy.do("git", "commit", "--quiet", "--all", "--message", "Theirs")
    project_copy.do("git", "checkout", "--quiet", "-")
    project_copy.edit("params.yaml", "seed: 1\n  log", "seed: 2\n  log")
    project_copy.do("dvc", "repro", "report")
    project_copy.do("git", "commit", "--quiet", "--all", "--message", "Ours")
    merge = project_copy.run("git", "merge", "theirs")
    assert "CONFLICT (content): Merge conflict in dvc.lock" in merge.out
    error = project_copy.run("python", "-m", "commands.gate").error()
    assert "modified params.yaml flatten" in error
    assert "run `dvc repro`" in error
    project_copy.do("dvc", "repro", "report")
    assert "points to spare" in project_copy.do("python", "-m", "commands.gate")
    project_copy.do("git", "commit", "--quiet", "--all", "--message", "Merged")
    params = read_yaml(project_copy.path / "params.yaml")
    assert (params["flatten"]["validation_examples"], params["train"]["seed"]) == (90, 2)


@pytest.mark.slow
def test_a_temporary_experiment_lacks_what_git_does_not_track(project_copy: Project) -> None:
    """One line says so, where Python would only name a module."""
    _set_git_user(project_copy)
    batches = "stages/train/batches.py"
    (project_copy.path / "stages/train/scaling.py").touch()
    first_line = "from __future__ import annotations\n"
    project_copy.edit(batches, first_line, f"{first_line}from stages.train import scaling\n")
    command = ("dvc", "exp", "run", "--temp", "-S", "train.seed=2")
    err = project_copy.run(*command).err
    assert "`git add` new ones" in err
    assert "Traceback" not in err
    project_copy.do("git", "add", "stages")
    project_copy.do(*command)


@pytest.mark.slow
def test_runs_are_added_and_renamed_in_params_yaml(project_copy: Project) -> None:
    """A new run is trained; files of one that is gone are named, with what deletes them."""
    third = "runs:\n  third: {iterations: 20, min_test_accuracy: 0.1}\n"
    project_copy.edit("params.yaml", "runs:\n", third)
    project_copy.do("dvc", "repro")
    results = load_results(project_copy.path / "metrics/accuracy.json")
    assert list(results) == ["third", *ITERATIONS]
    plots = json.loads(project_copy.do("dvc", "plots", "show", "--json"))["data"]
    assert {"costs/third.csv", "costs/short.csv"} <= set(plots)
    project_copy.edit("params.yaml", "  third:", "  other:")
    command = "rm -r models/third costs/third.csv curves/third.csv"
    assert f"`{command}`" in project_copy.run("dvc", "repro").err
    project_copy.do("bash", "-c", command)
    project_copy.do("dvc", "repro")
    lock = (project_copy.path / "dvc.lock").read_bytes()
    for name in ("models", "costs", "plots"):
        shutil.rmtree(project_copy.path / name)
    project_copy.do("dvc", "repro", "--force")
    assert (project_copy.path / "dvc.lock").read_bytes() == lock
