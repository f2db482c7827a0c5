"""The pipeline as a whole: what dvc.yaml says, what imports what, and the way of the data."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.fixtures import (
    CLASSES,
    RAW_FILES,
    ITERATIONS,
    ROOT,
    SHAPE,
    TEST_IMAGES,
    TRAIN_IMAGES,
    VALIDATION_IMAGES,
    CompletedRun,
    Project,
    Server,
    yaml,
)

PIXELS = SHAPE[0] * SHAPE[1]
DVC = yaml().load(ROOT / "dvc.yaml")
TREES = {path.stem: ast.parse(path.read_text()) for path in (ROOT / "stages").glob("[!_]*.py")}
ENTRY_POINTS = {
    name
    for name, tree in TREES.items()
    if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)
}


def _imports(module: str) -> set[str]:
    """List what a module imports, anywhere in it, with dots."""
    found = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module
            assert not node.level
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def _project_imports(module: str) -> set[str]:
    """List the modules of the project that a module imports, or names as a file to be run."""
    texts = {node.value for node in ast.walk(TREES[module]) if isinstance(node, ast.Constant)}
    imported = _imports(module)
    return {name for name in TREES if f"stages.{name}" in imported or f"{name}.py" in texts}


def _closure(module: str) -> set[str]:
    """List a module and all of the project that it needs."""
    found: set[str] = set()
    waiting = {module}
    while waiting:
        found |= waiting
        waiting = {name for one in waiting for name in _project_imports(one)} - found
    return found


@pytest.mark.parametrize("stage", DVC["stages"])
def test_a_stage_depends_on_all_code_that_it_imports(stage: str) -> None:
    """DVC does not follow imports: the list in dvc.yaml is exactly them."""
    described = DVC["stages"][stage]
    described = described.get("do", described)
    words = described["cmd"].split()
    verb = words[words.index("-m") + 1].removeprefix("stages.")
    code = [name for name in described["deps"] if name.startswith("stages/")]
    assert sorted(f"stages/{name}.py" for name in _closure(verb)) == sorted(code)


def test_the_package_itself_only_looks_at_python() -> None:
    """stages/__init__.py is imported by all and a dependency of none: no result follows from it."""
    tree = ast.parse((ROOT / "stages/__init__.py").read_text())
    assert [ast.Expr, ast.Import, ast.ImportFrom, ast.If] == [type(node) for node in tree.body]
    (action,) = tree.body[-1].body
    assert ast.unparse(action.value.func) == "sys.exit"


@pytest.mark.parametrize("module", sorted(TREES))
def test_nobody_imports_a_verb(module: str) -> None:
    """A stage is run, never imported: data flows through files."""
    assert set() == _project_imports(module) & ENTRY_POINTS


@pytest.mark.parametrize(
    ("library", "owners"),
    [
        ("tensorflow", {"network"}),
        ("mlflow", {"tracking", "serving"}),  # MLflow itself runs serving.py
        ("matplotlib", {"plots"}),
        ("ray", {"cluster", "trials"}),
    ],
)
def test_a_heavy_library_has_one_owner(library: str, owners: set[str]) -> None:
    """What takes seconds to start is imported in one place."""
    importers = {
        module
        for module in TREES
        if any(name.split(".")[0] == library for name in _imports(module))
    }
    assert importers <= owners


@pytest.mark.parametrize("verb", sorted(ENTRY_POINTS))
def test_help_comes_without_tensorflow(completed_project: Project, verb: str) -> None:
    """Every command explains itself, and does not take seconds to do so."""
    outcome = completed_project.run("python", "-X", "importtime", "-m", f"stages.{verb}", "--help")
    assert outcome.status == 0
    assert outcome.out.startswith(f"usage: python -m stages.{verb} ")
    assert not {"tensorflow", "keras", "matplotlib"} & _imported(outcome)


def _imported(outcome: CompletedRun) -> set[str]:
    """Read what `-X importtime` said."""
    imported = {line.rpartition("|")[2].strip() for line in outcome.err.splitlines()}
    assert "common.command_line" in imported
    return imported


@pytest.mark.parametrize(
    "command",
    [
        ("fetch", "data/raw"),
        ("flatten", "data/raw", "data/flat"),
        ("evaluate", "data/flat", "models", "costs", "metrics", "plots/predictions"),
        ("gate",),
    ],
)
def test_most_stages_run_without_tensorflow(
    completed_project: Project, command: tuple[str, ...]
) -> None:
    """They succeed on their own, start fast, and what they write is what was there."""
    outcome = completed_project.run(
        "python", "-X", "importtime", "-m", f"stages.{command[0]}", *command[1:]
    )
    assert outcome.status == 0, outcome.err
    assert not {"tensorflow", "keras", "matplotlib", "mlflow"} & _imported(outcome)
    assert (
        completed_project.do("dvc", "status", "dvc.yaml") == "Data and pipelines are up to date.\n"
    )


def test_repro_fetches_the_files(completed_project: Project) -> None:
    """data/raw has the four uncompressed files, and nothing else."""
    found = {
        path.name: path.read_bytes() for path in (completed_project.path / "data/raw").iterdir()
    }
    assert found == RAW_FILES


@pytest.mark.parametrize(
    ("part", "images"),
    [
        ("train", TRAIN_IMAGES - VALIDATION_IMAGES),
        ("validation", VALIDATION_IMAGES),
        ("test", TEST_IMAGES),
    ],
)
def test_repro_makes_the_arrays(completed_project: Project, part: str, images: int) -> None:
    """The three parts have their images and labels, as uint8."""
    with np.load(completed_project.path / f"data/flat/{part}.npz") as arrays:
        assert {"images", "labels"} == set(arrays)
        assert ((images, PIXELS), np.uint8) == (arrays["images"].shape, arrays["images"].dtype)
        assert ((images,), np.uint8) == (arrays["labels"].shape, arrays["labels"].dtype)


@pytest.mark.parametrize(("run", "iterations"), ITERATIONS.items())
def test_repro_makes_a_model_and_its_costs(
    completed_project: Project, run: str, iterations: int
) -> None:
    """Weights of three layers in float32, and a cost an iteration that falls."""
    expected = {
        "W1": (PIXELS, 128),
        "b1": (128,),
        "W2": (128, 64),
        "b2": (64,),
        "W3": (64, CLASSES),
        "b3": (CLASSES,),
    }
    with np.load(completed_project.path / f"models/{run}/weights.npz") as weights:
        assert expected == {name: array.shape for name, array in weights.items()}
        assert {np.dtype(np.float32)} == {array.dtype for array in weights.values()}
    costs = pd.read_csv(completed_project.path / f"costs/{run}.csv")
    assert list(costs.columns) == ["iteration", "cost"]
    assert list(range(iterations)) == list(costs["iteration"])
    assert costs["cost"].iloc[-5:].mean() < costs["cost"].iloc[0]


def test_repro_measures_every_run(completed_project: Project) -> None:
    """accuracy.json has what the interface says; the longer run has learned this dataset."""
    measured = json.loads((completed_project.path / "metrics/accuracy.json").read_text())
    assert list(ITERATIONS) == list(measured)
    names = ["iterations", "train", "validation", "test", "min_test_accuracy"]
    for run, result in measured.items():
        assert names == list(result)
        assert ITERATIONS[run] == result["iterations"]
        assert all(0 <= result[part] <= 1 for part in ("train", "validation", "test"))
    assert measured["long"]["test"] > 0.9


def test_repro_leaves_git_clean(completed_project: Project) -> None:
    """Only dvc.lock, and outputs that dvc.yaml leaves to git, are git's to notice."""
    outputs = [
        output
        for stage in DVC["stages"].values()
        for kind in ("outs", "metrics")
        for output in stage.get(kind, [])
        if isinstance(output, dict)
    ]
    kept = {name for output in outputs for name, how in output.items() if "cache" in how}
    changed = {line[3:] for line in completed_project.do("git", "status", "--short").splitlines()}
    assert changed <= {"dvc.lock", *kept}
    assert {"dvc.lock", "metrics/accuracy.json"} <= changed


def test_nothing_is_written_outside(completed_project: Project) -> None:
    """The user's home folder stays as it was."""
    assert list(completed_project.home.rglob("*")) == []


def test_a_second_repro_runs_nothing(completed_project: Project) -> None:
    """What is up to date stays so."""
    out = completed_project.do("dvc", "repro")
    assert "Running stage" not in out
    assert "Data and pipelines are up to date." in out


@pytest.mark.parametrize("command", [("metrics", "show"), ("plots", "show", "--json")])
def test_dvc_shows_results(completed_project: Project, command: tuple[str, ...]) -> None:
    """DVC's own commands find both runs."""
    out = completed_project.do("dvc", *command)
    assert "short" in out
    assert "long" in out


def _results(project: Project) -> dict[str, bytes]:
    kept = [project.path / "dvc.lock", *(project.path / "metrics").iterdir()]
    return {path.name: path.read_bytes() for path in kept}


@pytest.mark.slow
def test_training_anew_gives_the_same(project_copy: Project) -> None:
    """Forced to run again, fetch, flatten and train give the same bytes."""
    before = _results(project_copy)
    out = project_copy.do("dvc", "repro", "--force", "train@long")
    assert out.count("Running stage") == 3
    assert before == _results(project_copy)


@pytest.mark.slow
def test_an_experiment(project_copy: Project) -> None:
    """A parameter changed for one experiment leads to another result, which DVC lists."""
    project_copy.do("git", "add", "--all")
    project_copy.do("git", "commit", "--quiet", "--message", "Results")
    before = _results(project_copy)
    project_copy.do("dvc", "exp", "run", "--name", "faster", "-S", "train.learning_rate=0.01")
    assert before["accuracy.json"] != _results(project_copy)["accuracy.json"]
    shown = pd.read_csv(
        StringIO(project_copy.do("dvc", "exp", "show", "--csv")), index_col="Experiment"
    )
    faster = shown.loc["faster"]
    measured = json.loads(_results(project_copy)["accuracy.json"])
    assert faster["train.learning_rate"] == 0.01
    assert measured["short"]["test"] == faster["short.test"]


WRONG = (
    (
        "learning_rate:",
        "learning_rat:",
        "params.yaml: train.learning_rat: unknown name, did you",
    ),
    ("iterations: 120", "iteration: 120", "runs.long.iteration"),
    ("dataset: synthetic", "dataset: synthetik", "synthetik"),
)


def test_a_wrong_parameter_stops_repro(project_copy: Project) -> None:
    """It is named without a traceback and starts no training; put right, nothing was lost."""
    before = _results(project_copy)
    for right, wrong, said in WRONG:
        project_copy.edit("params.yaml", right, wrong)
        outcome = project_copy.run("dvc", "repro")
        assert outcome.status != 0
        assert said in outcome.err
        assert "Traceback" not in outcome.err
        assert "iteration 0," not in outcome.out
        project_copy.edit("params.yaml", wrong, right)
    assert "iteration 0," not in project_copy.do("dvc", "repro")
    assert before == _results(project_copy)


@pytest.mark.slow
def test_a_renamed_run(project_copy: Project) -> None:
    """What it left is to be deleted, as the error says; then dvc.lock is that of a new clone."""
    project_copy.edit("params.yaml", "  short:", "  brief:")
    left = ["costs/short.csv", "models/short/weights.npz"]
    refused = project_copy.run("dvc", "repro")
    assert f"`rm {' '.join(left)}`, and go on" in refused.err
    subprocess.run(["rm", *left], cwd=project_copy.path, check=True)
    assert re.search(r"^brief: .* tracked as run", project_copy.do("dvc", "repro"), re.MULTILINE)
    locked = (project_copy.path / "dvc.lock").read_text()
    for name in ("models", "costs", "plots"):
        shutil.rmtree(project_copy.path / name)
    project_copy.do("dvc", "repro", "--force")
    assert locked == (project_copy.path / "dvc.lock").read_text()


@pytest.mark.slow
def test_every_run_has_a_plot(project_copy: Project) -> None:
    """DVC draws the costs of a third run as those of the others."""
    project_copy.edit(
        "params.yaml", "runs:\n", "runs:\n  third: {iterations: 30, min_test_accuracy: 0.1}\n"
    )
    project_copy.do("dvc", "repro", "evaluate")
    drawn = json.loads(project_copy.do("dvc", "plots", "show", "--json"))["data"]
    costs = {Path(name).stem for name in drawn if name.startswith("costs/")}
    assert {"third", *ITERATIONS} == costs


def test_no_shell_reads_the_name_of_a_run(project_copy: Project) -> None:
    """A name with a shell's signs in it is refused before `train` would hand it to one."""
    project_copy.edit("params.yaml", "  short:", '  "a; touch entered; b":')
    refused = project_copy.run("dvc", "repro")
    assert refused.status != 0
    assert "should be made of letters, digits, - and _ only" in refused.err
    assert not (project_copy.path / "entered").exists()


def test_a_damaged_raw_file_is_fetched_again(project_copy: Project, server: Server) -> None:
    """Only that file is, and nothing else has to run."""
    path = project_copy.path / "data/raw/t10k-labels-idx1-ubyte"
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    out = project_copy.do("dvc", "repro")
    assert RAW_FILES[path.name] == path.read_bytes()
    assert server.requests == ["/data/t10k-labels-idx1-ubyte.gz"]
    assert "Running stage 'train" not in out


def test_gate_fails_where_results_are_of_other_settings(project_copy: Project) -> None:
    """A changed parameter or a missed threshold is one line and status 1."""
    project_copy.edit("params.yaml", "batch_size: 64", "batch_size: 32")
    outcome = project_copy.run("python", "-m", "commands.gate")
    assert outcome.status == 1
    assert "modified params.yaml train" in outcome.error()
    assert "run `dvc repro`" in outcome.error()
